# shellcheck shell=bash
# job.sh: the body of every batch script here: scores a corpus on the nodes of one allocation, one MPI rank a node, each with
# as many lanes as Slurm gave it cores and memory for. Sourced by the .sbatch files; `fakesift submit` writes it into its script.
#
# In: the arguments CORPUS DETECTOR RUN [OPTION of fakesift run...]; CORPUS, RUN and the program on a filesystem that every
# node sees; variables, none of which must be set:
#   FAKESIFT                the program; else build/fakesift in the folder that sbatch was called in, else the path's
#   FAKESIFT_LAUNCH         mpirun (default) or srun (srun --mpi=pmix: a dead rank then ends the step, and a requeue goes on)
#   FAKESIFT_DRAIN_S        after USR1, how long ranks may take to end before they are ended (default 100)
#   FAKESIFT_STALL_S        no finished video for so long: the ranks are ended and the job requeued (default 3600)
#   FAKESIFT_START_S        a rank 0 that does not start within this time: the same (default 900)
#   FAKESIFT_PROGRESS_S     how often the job's comment is renewed (default 60; 0: never)
#   FAKESIFT_LOCK_WAIT_S    how long to wait for another job that works on RUN (default 900)
#   FAKESIFT_MAX_RESTARTS   a job that was started again so often is not requeued any more (default 100)
# Out: RUN; the exit code of fakesift run (0 done, 1 usage, 2 failed, 3 unscored videos under --strict, 75 stopped early).
#
# Nothing is lost whatever happens here, since finished videos are in RUN's journals:
#   time limit, preemption   Slurm sends USR1 to this script (--signal=B:USR1@120), which hands it to mpirun, and mpirun to every
#                            rank; they drop what they cannot finish and end with 75; the job is requeued and goes on. USR1,
#                            since mpirun 4.1 hands that to all ranks, and TERM to rank 0 alone.
#   a rank dies              the others go on (mpirun --enable-recovery, Open MPI 4); under srun the step ends, and is requeued
#   rank 0 dies              the others end, the job is requeued
#   a node dies              Slurm requeues the job by itself (--requeue); with --no-kill the others go on
# A job is requeued while videos are left, but not after two starts in a row that finished none.
set -uo pipefail

# A line with the time, as the program's own.
say() {
    printf '%s job %s start %s: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "${SLURM_JOB_ID:-none}" "${SLURM_RESTART_COUNT:-0}" "$*"
}

fail() {
    say "$*" >&2
    exit 1
}

[ $# -ge 3 ] || fail "usage: sbatch [SBATCH-OPTION...] SCRIPT CORPUS DETECTOR RUN [OPTION of fakesift run...]"
corpus=$1 detector=$2 run=$3
shift 3
launch=${FAKESIFT_LAUNCH:-mpirun}
n_nodes=${SLURM_JOB_NUM_NODES:-1}

find_program() {
    local folder=${SLURM_SUBMIT_DIR:-$PWD}
    fakesift=${FAKESIFT:-}
    [ -n "$fakesift" ] || [ ! -x "$folder/build/fakesift" ] || fakesift=$folder/build/fakesift
    [ -n "$fakesift" ] || fakesift=$(command -v fakesift) ||
        fail "no fakesift: set FAKESIFT to the program's path, or build it in $folder"
}

set_environment() {
    # A lane is one thread, and lanes fill the cores.
    export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
    # Steps of this job may share its cores and see all of them: without these a second step waits for ever, and mpirun's
    # helpers on other nodes are confined to one core, with all that they start.
    export SLURM_OVERLAP=1 SLURM_WHOLE=1
    [ -z "${SLURM_CPUS_PER_TASK:-}" ] || export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK
    # In a job with --no-kill, the step that holds mpirun's helpers outlives a lost node as well.
    export OMPI_MCA_plm_slurm_args="${OMPI_MCA_plm_slurm_args:-} --no-kill"
    # Messages are small: TCP will do, and a site with a better fabric sets its own.
    export OMPI_MCA_pml=${OMPI_MCA_pml:-ob1} OMPI_MCA_btl=${OMPI_MCA_btl:-tcp,self}
    if [ "$(id -u)" = 0 ]; then
        export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    fi
}

# Each node must see what the job needs. A node that does not is named now, and not by a rank that fails an hour later.
check_nodes() {
    local unseen
    [ -n "${SLURM_JOB_ID:-}" ] || return 0
    mkdir -p "$run/slurm" || fail "$run: cannot be made from $(uname -n)"
    # shellcheck disable=SC2016 # expanded on the nodes
    unseen=$(timeout 120 srun --mpi=none --nodes="$n_nodes" --ntasks="$n_nodes" --ntasks-per-node=1 sh -c '
        [ -x "$0" ] || command -v "$0" >/dev/null || echo "$(uname -n) has no program $0"
        [ -r "$1" ] || echo "$(uname -n) cannot read $1"
        [ -w "$2" ] || echo "$(uname -n) cannot write in $2"
        case $3 in */*) [ -r "$3" ] || echo "$(uname -n) cannot read $3" ;; esac' \
        "$fakesift" "$corpus" "$run/slurm" "$detector" 2>&1) || say "the nodes could not be asked what they see: $unseen"
    ! grep -qE ' (has no program|cannot (read|write in)) ' <<<"$unseen" || fail "not started: ${unseen//$'\n'/; }"
}

# "DECIDED TOTAL" of the run, nothing before it has begun.
decided() {
    "$fakesift" status "$run" 2>/dev/null | sed -nE '1s/.*: ([0-9]+) of ([0-9]+) videos decided.*/\1 \2/p'
}

# What squeue -o %k and scontrol show job say of it.
comment() {
    [ -z "${SLURM_JOB_ID:-}" ] || scontrol update "JobId=$SLURM_JOB_ID" "Comment=fakesift: $*" >/dev/null 2>&1
}

# A job that lost its node may still work on the run for a while, as the node sees it.
await_lock() {
    local end=$((SECONDS + ${FAKESIFT_LOCK_WAIT_S:-900})) told=''
    while "$fakesift" status "$run" 2>/dev/null | grep -q '^a job works on it' && [ $SECONDS -lt $end ] && [ -z "$ending" ]; do
        [ -n "$told" ] || say "waiting: $("$fakesift" status "$run" 2>/dev/null | grep '^a job works on it')"
        told=1
        nap
    done
}

# ---------------------------------------------------------------------------------------------------------------------
# Signals: only noted here, the loop below acts. bash runs a trap at once only while it waits for a child.

ending='' # why it should end early: "limit" (or preemption: goes on later), "cancelled"
launcher=''
# shellcheck disable=SC2317 # called by the traps
drain() {
    [ -z "$ending" ] || return 0
    ending=$1 drain_end=$((SECONDS + ${FAKESIFT_DRAIN_S:-100}))
    [ -z "$launcher" ] || { say "told to stop: draining"; kill -USR1 "$launcher" 2>/dev/null; }
}
trap 'drain limit' USR1
trap 'drain cancelled' TERM INT

nap() {
    sleep 1 &
    wait $!
}

# ---------------------------------------------------------------------------------------------------------------------
# Starting, and watching until the end.

# Rank 0 runs on this node, and says in this file that it runs and how it ended. Not in RUN, whose disk may be full; and
# mpirun's exit code means nothing once a rank has been lost.
state_folder=$(mktemp -d "${SLURM_TMPDIR:-${TMPDIR:-/tmp}}/fakesift.XXXXXX") || fail "no folder for temporary files"
trap 'rm -rf "$state_folder"' EXIT
export FAKESIFT_STATE_FILE=$state_folder/state

begin() {
    local mpi=()
    if [ "$launch" = srun ]; then
        mpi=(srun --mpi=pmix --kill-on-bad-exit=1 --cpu-bind=none "--nodes=$n_nodes" "--ntasks=$n_nodes" --ntasks-per-node=1)
    else
        # A rank runs lanes on all of its node's cores; mpirun would bind it, and so them, to one.
        mpi=(mpirun --map-by ppr:1:node --bind-to none)
        case $(mpirun --version 2>/dev/null) in *') 4.'*) mpi+=(--enable-recovery) ;; esac
    fi
    "${mpi[@]}" "$fakesift" run "$corpus" --detector "$detector" -o "$run" "$@" &
    launcher=$!
}

# state WORD: whether rank 0's state is "running" or "ended"; what follows the word is in $state.
state() {
    local word
    state=''
    [ -f "$FAKESIFT_STATE_FILE" ] && read -r word state <"$FAKESIFT_STATE_FILE" && [ "$word" = "$1" ]
}

coordinator_died() {
    local host pid
    state running || return 1
    host=${state% *} pid=${state##* }
    [ "$host" = "$(uname -n)" ] && ! kill -0 "$pid" 2>/dev/null && ! state ended
}

launcher_alive() { kill -0 "$launcher" 2>/dev/null; }

# Ends the launcher, which ends the ranks.
stop_launcher() {
    local i signal
    for signal in TERM KILL; do
        kill -"$signal" "$launcher" 2>/dev/null
        for ((i = 0; i < 15; i++)); do
            launcher_alive || return 0
            nap
        done
    done
}

# Changes whenever a record was written.
journal_size() { find "$run/journal" -type f -printf '%p %s\n' 2>/dev/null | sort | cksum; }

show_progress() {
    local began=$SECONDS now
    if [ "${FAKESIFT_PROGRESS_S:-60}" = 0 ] || [ $SECONDS -lt "$progress_at" ]; then return 0; fi
    now=$(decided)
    [ -z "$now" ] || comment "${now% *} of ${now#* } videos, ${SLURM_RESTART_COUNT:-0} restarts"
    # Reading a large run's journals takes a while: at most 2 % of the time.
    progress_at=$((SECONDS + ${FAKESIFT_PROGRESS_S:-60} + 50 * (SECONDS - began)))
}

# Returns when the launcher has gone, or is of no more use.
watch_it() {
    local size='' now checked=$SECONDS moved=$SECONDS stall=${FAKESIFT_STALL_S:-3600} patience=10
    # Listing a large corpus takes its time, too: ten times the patience before the first record.
    local limit=$((10 * stall))
    progress_at=$((SECONDS + ${FAKESIFT_PROGRESS_S:-60}))
    while launcher_alive; do
        nap
        if [ ! -f "$FAKESIFT_STATE_FILE" ] && [ $((SECONDS - moved)) -ge "${FAKESIFT_START_S:-900}" ]; then
            say "rank 0 did not start within ${FAKESIFT_START_S:-900} s"
            return 0
        elif state ended; then
            # With all ranks there mpirun ends by itself; with one lost it stays for ever.
            [ $((patience -= 1)) -gt 0 ] || return 0
        elif coordinator_died; then
            say "rank 0 died"
            return 0
        elif [ -n "$ending" ] && [ $SECONDS -ge "$drain_end" ]; then
            say "not drained within ${FAKESIFT_DRAIN_S:-100} s: ending the ranks"
            return 0
        fi
        show_progress
        [ $((SECONDS - checked)) -ge $((stall > 600 ? 60 : 1)) ] || continue
        checked=$SECONDS
        now=$(journal_size)
        if [ "$now" != "$size" ]; then
            [ -z "$size" ] || limit=$stall
            size=$now moved=$SECONDS
        fi
        if [ $((SECONDS - moved)) -ge "$limit" ]; then
            say "stalled: no video was finished for $((SECONDS - moved)) s"
            return 0
        fi
    done
}

# ---------------------------------------------------------------------------------------------------------------------
# What comes next.

# How many starts before this one, counted from the last, and this one, decided nothing; not the job's first.
# RUN/slurm/JOB.starts has a line a start: how many videos were decided when it began.
fruitless_starts() {
    local now=$1 n=0 at i starts=()
    mapfile -t starts <"$starts_file" 2>/dev/null
    for ((i = ${#starts[@]} - 1; i >= 1; i--)); do
        at=${starts[i]}
        [ "$at" = "$now" ] || break
        n=$((n + 1))
    done
    echo "$n"
}

requeue() {
    local max=${FAKESIFT_MAX_RESTARTS:-100} now
    now=$(decided)
    now=${now% *}
    if [ -z "${SLURM_JOB_ID:-}" ]; then
        say "no Slurm job to requeue; the same command goes on from here"
    elif [ "$recorded" = no ] && [ "${now:-0}" = "$decided_before" ]; then
        stay "not requeued: $run cannot be written, and no video was finished"
    elif [ "$(fruitless_starts "${now:-0}")" -ge 2 ]; then
        stay "not requeued: two starts in a row finished no video; see above why. The same sbatch command goes on from here"
    elif [ "${SLURM_RESTART_COUNT:-0}" -ge "$max" ]; then
        stay "not requeued: started again $max times already (FAKESIFT_MAX_RESTARTS)"
    elif scontrol requeue "$SLURM_JOB_ID"; then
        say "requeued"
        # Slurm ends this script now. Ending first would look like a job that is done.
        sleep 60 &
        wait $!
    else
        stay "could not be requeued; the same sbatch command goes on from here"
    fi
}

stay() {
    say "$*"
    comment "$*"
}

finish() {
    case $1 in
    0) stay "done" ;;
    1 | 2 | 3) stay "ended with $1, which is the program's own verdict: not requeued" ;;
    *)
        say "stopped early"
        if [ "$ending" = cancelled ]; then
            stay "cancelled: not requeued; the same sbatch command goes on from here"
        else
            requeue
        fi
        ;;
    esac
    exit "$1"
}

main() {
    local rc=0
    find_program
    set_environment
    say "nodes ${SLURM_JOB_NODELIST:-$(uname -n)}, run $run"
    check_nodes
    await_lock
    decided_before=$(decided)
    decided_before=${decided_before% *}
    decided_before=${decided_before:-0}
    starts_file=$run/slurm/${SLURM_JOB_ID:-none}.starts recorded=yes
    [ -z "${SLURM_JOB_ID:-}" ] || echo "$decided_before" 2>/dev/null >>"$starts_file" || recorded=no
    [ -z "$ending" ] || finish 75
    begin "$@"
    # A signal that fell between the two.
    [ -z "$ending" ] || kill -USR1 "$launcher" 2>/dev/null
    watch_it
    launcher_alive && stop_launcher
    wait "$launcher"
    rc=$?
    # Without a word of rank 0 the launcher's code is nobody's verdict.
    if state ended; then
        rc=$state
    else
        say "$launch ended with $rc, and rank 0 without a word"
        rc=$((rc < 4 ? 75 : rc))
    fi
    launcher=''
    finish "$rc"
}

main "$@"
