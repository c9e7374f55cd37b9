#!/usr/bin/env bash
# slurm/fakesift.sbatch decides rightly what to requeue. mpirun and scontrol are stand-ins here: this tests the script's
# own logic, signals included; what Slurm and Open MPI do with it is for the cluster tests.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/fakesift-sbatch.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"

# A stand-in for mpirun: says that it is up, and then ends with $STUB_RC at once, or with 75 on USR1.
cat >"$work/bin/mpirun" <<'END'
#!/usr/bin/env bash
echo "mpirun $*" >>"$STUB_LOG"
trap 'echo drained >>"$STUB_LOG"; kill %1 2>/dev/null; exit 75' USR1
if [ "$STUB_RC" = wait ]; then
    /bin/sleep 60 &
    echo up >"$STUB_UP"
    while :; do wait; done
fi
exit "$STUB_RC"
END
cat >"$work/bin/scontrol" <<'END'
#!/usr/bin/env bash
echo "scontrol $*" >>"$STUB_LOG"
END
# The script itself sleeps only to be ended by Slurm.
printf '#!/bin/sh\nexit 0\n' >"$work/bin/sleep"
mkfifo "$work/up"
chmod +x "$work"/bin/*

# begin RC RESTARTS: starts the script as Slurm would; $script is its process
begin() {
    : >"$work/log"
    env PATH="$work/bin:$PATH" STUB_LOG="$work/log" STUB_UP="$work/up" STUB_RC="$1" SLURM_RESTART_COUNT="$2" \
        SLURM_JOB_ID=4711 SLURM_SUBMIT_DIR="$work" FAKESIFT=/bin/true \
        bash "$root/slurm/fakesift.sbatch" /corpus detector /run --strict >"$work/out" 2>&1 &
    script=$!
}

await_up() {
    read -r -t 60 _ <>"$work/up" || { echo "sbatch: the script never started mpirun"; exit 1; }
}

n_passed=0 n_failed=0
# expect NAME RC REQUEUED(yes|no) TEXT-OF-OUTPUT
expect() {
    local rc=0 requeued=no
    wait "$script" || rc=$?
    ! grep -q '^scontrol requeue 4711$' "$work/log" || requeued=yes
    if [ "$rc" = "$2" ] && [ "$requeued" = "$3" ] && grep -qF -- "$4" "$work/out"; then
        n_passed=$((n_passed + 1))
    else
        n_failed=$((n_failed + 1))
        echo "failed: $1: code $rc (want $2), requeued $requeued (want $3), output (want '$4'):"
        cat "$work/out" "$work/log"
    fi
}

begin 0 0
expect 'a finished run is not requeued' 0 no 'done'
begin 3 0
expect 'unscored videos under --strict are a verdict' 3 no 'not requeued'
begin 2 0
expect 'a failure of the program is a verdict' 2 no 'not requeued'
begin 75 0
expect 'stopped early is requeued' 75 yes 'requeued'
begin 137 0
expect 'a dead rank is requeued' 137 yes 'a rank or its node died'
begin 137 20
expect 'not for ever' 137 no 'FAKESIFT_MAX_RESTARTS'
begin wait 0
await_up
kill -USR1 "$script"
expect 'USR1 drains and requeues' 75 yes 'draining'
begin wait 0
await_up
kill -TERM "$script"
expect 'TERM drains and does not requeue' 75 no 'cancelled'
begin 0 0
wait "$script"
if grep -q -- '--map-by ppr:1:node /bin/true run /corpus --detector detector -o /run --strict$' "$work/log"; then
    n_passed=$((n_passed + 1))
else
    n_failed=$((n_failed + 1))
    echo "failed: the command line of mpirun:"
    cat "$work/log"
fi
echo "$n_passed passed, $n_failed failed"
[ "$n_failed" = 0 ]
