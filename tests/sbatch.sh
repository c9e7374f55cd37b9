#!/usr/bin/env bash
# slurm/fakesift.sbatch decides rightly what to requeue. mpirun and scontrol are stand-ins here: this tests the script's
# own logic, signals included; what Slurm and Open MPI do with it is for the cluster tests.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/fakesift-sbatch.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"

# A stand-in for mpirun and the ranks under it: says in the state file that rank 0 runs, and then how it ended: at once with
# $STUB_RC, or with 75 on USR1 (STUB_RC=wait). STUB_RC=dies: mpirun goes on, rank 0 does not. STUB_RC=lost: the same, but
# rank 0 has ended well before.
cat >"$work/bin/mpirun" <<'END'
#!/usr/bin/env bash
case $1 in --version) echo 'mpirun (Open MPI) 4.1.4'; exit ;; esac
echo "mpirun $*" >>"$STUB_LOG"
trap 'echo drained >>"$STUB_LOG"; kill %1 2>/dev/null; echo "ended 75" >"$FAKESIFT_STATE_FILE"; exit 75' USR1
trap 'echo terminated >>"$STUB_LOG"; kill %1 2>/dev/null; exit 143' TERM
pid=$$
[ "$STUB_RC" != dies ] || pid=4194305
echo "running $(uname -n) $pid" >"$FAKESIFT_STATE_FILE"
case $STUB_RC in
wait | dies | lost)
    [ "$STUB_RC" != lost ] || echo 'ended 0' >"$FAKESIFT_STATE_FILE"
    /bin/sleep 60 &
    echo up >"$STUB_UP"
    while :; do wait; done
    ;;
esac
[ "$STUB_RC" -gt 100 ] || echo "ended $STUB_RC" >"$FAKESIFT_STATE_FILE"
exit "$STUB_RC"
END
# Answers what fakesift status would: STUB_DECIDED videos, one more at each start.
cat >"$work/bin/fakesift" <<'END'
#!/usr/bin/env bash
[ "$1" = status ] || exit 1
echo "$2: $(cat "$STUB_DECIDED") of 100 videos decided by detector"
END
for program in scontrol srun; do
    # shellcheck disable=SC2016 # expanded by the stand-in
    printf '#!/usr/bin/env bash\necho "%s $*" >>"$STUB_LOG"\n' "$program" >"$work/bin/$program"
done
# Slurm ends a script that has requeued itself.
cat >>"$work/bin/scontrol" <<'END'
[ "$1" != requeue ] || kill -KILL "$PPID"
END
# The script naps between looks; here a nap is short.
printf '#!/bin/sh\nexec /bin/sleep 0.02\n' >"$work/bin/sleep"
mkfifo "$work/up"
chmod +x "$work"/bin/*

# begin RC RESTARTS [DECIDED]: starts the script as Slurm would; $script is its process
begin() {
    : >"$work/log"
    echo "${3:-50}" >"$work/decided"
    env PATH="$work/bin:$PATH" STUB_LOG="$work/log" STUB_UP="$work/up" STUB_RC="$1" STUB_DECIDED="$work/decided" \
        SLURM_RESTART_COUNT="$2" SLURM_JOB_ID=4711 SLURM_SUBMIT_DIR="$root" FAKESIFT="$work/bin/fakesift" \
        bash "$root/slurm/fakesift.sbatch" /corpus detector "$work/run" --strict >"$work/out" 2>&1 &
    script=$!
}

await_up() {
    read -r -t 60 _ <>"$work/up" || { echo "sbatch: the script never started mpirun"; exit 1; }
}

n_passed=0 n_failed=0
# expect NAME RC REQUEUED(yes|no) TEXT-OF-OUTPUT
expect() {
    local rc=0 requeued=no
    wait "$script" 2>/dev/null || rc=$?
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
rm -rf "$work/run"
begin 75 0 10
expect 'stopped early is requeued' 137 yes 'stopped early'
begin 137 1 20
expect 'a dead rank is requeued, and one start without progress' 137 yes 'mpirun ended with 137, and rank 0 without a word'
begin 75 2 20
expect 'two starts without progress are not requeued' 75 no 'two starts in a row finished no video'
begin 75 3 21
expect 'progress counts anew' 137 yes 'stopped early'
begin 75 100 99
expect 'not for ever' 75 no 'FAKESIFT_MAX_RESTARTS'
rm -rf "$work/run"
begin wait 0
await_up
kill -USR1 "$script"
expect 'USR1 drains and requeues' 137 yes 'draining'
begin wait 0
await_up
kill -TERM "$script"
expect 'TERM drains and does not requeue' 75 no 'cancelled'
rm -rf "$work/run"
begin dies 0
await_up
expect 'without rank 0 the others are ended, and it is requeued' 137 yes 'rank 0 died'
begin lost 0
await_up
expect 'a run that is done is done, even if mpirun stays for a lost rank' 0 no 'done'
begin 0 0
wait "$script"
if grep -q -- "--map-by ppr:1:node --bind-to none --enable-recovery $work/bin/fakesift run /corpus --detector detector -o $work/run --strict\$" \
    "$work/log"; then
    n_passed=$((n_passed + 1))
else
    n_failed=$((n_failed + 1))
    echo "failed: the command line of mpirun:"
    cat "$work/log"
fi
echo "$n_passed passed, $n_failed failed"
[ "$n_failed" = 0 ]
