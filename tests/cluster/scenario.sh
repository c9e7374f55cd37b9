#!/usr/bin/env bash
# One scenario, PID 1 of its namespaces: brings up a cluster, lets the scenario happen, and looks for what is left.
# In: a name of scenarios.sh. Out: its last line says what was seen; exit code 0, or 77 skipped.
set -euo pipefail
name=$1
trap 'exit 130' INT TERM HUP
mount --make-rprivate /
mount --bind "${kept:?set by inside.sh}" /mnt/kept
mount -t tmpfs -o mode=1777 tmpfs /tmp
unset TMPDIR
mount -t tmpfs tmpfs /run
mkdir -p /run/netns
: "${cluster:?set by inside.sh}"
. "$cluster/slurm.sh"
. "$cluster/lib.sh"
. "$cluster/scenarios.sh"
mkdir -p "$share"
mount -t tmpfs -o mode=755 tmpfs "$share"

# shellcheck disable=SC2317 # called by the trap
at_end() {
    local code=$?
    if [ $code != 0 ] && [ $code != 77 ]; then
        squeue -o '%i %j %T %r %M %N' || true
        sinfo -N -o '%N %T %E' || true
        rm -rf "/mnt/kept/$name"
        mkdir -p "/mnt/kept/$name"
        cp -r "$share"/log "$share"/*.out "$share"/etc /mnt/kept/"$name"/ || true
        for run in "$share"/run*; do
            [ ! -d "$run/slurm" ] || cp -r "$run/slurm" "/mnt/kept/$name/${run##*/}-slurm" || true
        done
        tail -n 40 "$share"/*.out || true
    fi
}
trap at_end EXIT

if declare -F "prepare_$name" >/dev/null; then "prepare_$name"; fi
cluster_up
cd "$share"
"scenario_$name"
none_left
