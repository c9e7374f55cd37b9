#!/usr/bin/env bash
# The cluster tests: a real Slurm of four nodes on this machine, each node in namespaces of its own with its own address, and
# what befalls a job there. Each scenario ends with the report of an undisturbed run, byte for byte, and no process left.
#     tests/cluster/cluster.sh [FAKESIFT [SCENARIO...]]       SCENARIO: a name that `grep ^scenario tests/cluster/scenarios.sh` lists
# In: the program (default build/fakesift). Out: a line a scenario, then "N passed, N failed, N skipped".
# Everything that is started here lives in one PID namespace, and everything that is written in one tmpfs of its mount
# namespace: both are gone when this process is, however it ends. The machine's own network, /etc and /run are not touched.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
fakesift=$(realpath "${1:-$here/../../build/fakesift}")
if [ $# -gt 0 ]; then shift; fi

not_here() {
    echo "SKIPPED: the cluster tests: $*"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

[ "$(uname -s)" = Linux ] || not_here "they need Linux"
[ "$(id -u)" = 0 ] || not_here "they need root, to make namespaces with addresses of their own"
for program in slurmctld slurmd sbatch munged mpirun ip unshare nsenter ffmpeg; do
    command -v "$program" >/dev/null || not_here "no $program here (packages: munge slurmctld slurmd slurm-client iproute2 util-linux)"
done
[ -x "$fakesift" ] || { echo "cluster.sh: $fakesift is not there: build first"; exit 1; }
unshare --net --uts --ipc --mount --pid --fork --kill-child --mount-proc sh -c \
    'ip link add br0 type bridge && ip link add v0 type veth peer name v1 && mount -t tmpfs tmpfs /mnt' 2>/dev/null ||
    not_here "this kernel or container does not allow namespaces with a bridge, veth pairs and mounts"

# For the logs of what failed.
kept=$(mktemp -d "${TMPDIR:-/tmp}/fakesift-cluster.XXXXXX")
exec unshare --net --uts --ipc --mount --pid --fork --kill-child --mount-proc \
    bash "$here/inside.sh" "$fakesift" "$here/../.." "$kept" "$@"
