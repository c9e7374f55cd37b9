#!/bin/bash
# Whatever is killed or stopped at whatever instant, under plain mpirun and with --enable-recovery: after at most one
# restart every video is decided once, scores.csv and the results of report.json are those of an undisturbed run, byte for
# byte, nothing is left running, and the work done again is at most what the ranks that died had in work plus one flush.
# FAKESIFT_CRASH_ROUNDS and FAKESIFT_CRASH_SEED: more of it, or other instants (a campaign: 100 rounds). By itself 50
# (FAKESIFT_LONG=1: 100), and 4 of a sanitized program, whose processes die at the same instants.
# shellcheck disable=SC2086 # process ids are split on purpose
. "$(dirname "$0")/lib.sh"
. "$SOURCE/tests/process/crash_lib.sh"
ROUNDS=50
if [ -n "${FAKESIFT_LONG:-}" ]; then
    ROUNDS=100
elif ldd "$FAKESIFT" | grep -q libasan; then
    ROUNDS=4
fi
ROUNDS=${FAKESIFT_CRASH_ROUNDS:-$ROUNDS}
RANDOM=${FAKESIFT_CRASH_SEED:-1}
FLUSH=8 LANES=1 RANKS=3 LEASE=3
many_clips videos 200
# Those that reach a lane: all but the FIFO.
n_begun=$((total - 1))

# start RUN OPTION-OF-MPIRUN...: what each rank logs goes to a file of its own, which survives the death of mpirun.
start() {
    local run=$1

    shift
    # shellcheck disable=SC2016 # the rank's own shell expands it
    mpi "$@" -n $RANKS bash -c 'exec "$@" 2>>'"$run.log"'.$OMPI_COMM_WORLD_RANK' rank "$FAKESIFT" run videos --layout dir \
        --detector "$DETECTOR" -o "$run" --lanes $LANES --silence 6 --lease $LEASE --flush $FLUSH --verbose
}

# Restarting is for the loss of what the rest cannot do without.
may_need_restart() { # WHAT RECOVERY
    case $1 in
    all | rank0 | mpirun) true ;;
    agent) [ -z "$2" ] ;;
    *) false ;;
    esac
}

# How many ranks lose what they hold.
n_ranks_hit() { # WHAT RECOVERY
    case $1 in
    lane | zygote) echo 1 ;;
    agent) if [ -n "$2" ]; then echo 1; else echo $RANKS; fi ;;
    stop-*) echo 1 ;;
    *) echo $RANKS ;;
    esac
}

# The lease is so short that on a busy machine a rank may lose some that nobody has disturbed.
expired_leases() { # RUN
    cat "$1".log.* | sed -nE 's/.* warning rank=0 ([0-9]+) leases expired.*/\1/p' | awk '{ n += $1 } END { print n + 0 }'
}

began=$(milliseconds)
start whole >whole.out || { cat whole.log.*; fail "the undisturbed run"; }
took=$(($(milliseconds) - began))
begun=$(cat whole.log.* | grep -c ': begun, attempt')
expired=$(expired_leases whole)
if [ "$begun" -lt $n_begun ] || [ "$begun" -gt $((n_begun + expired)) ]; then
    fail "the undisturbed run began $begun videos, not $n_begun; $expired leases expired"
fi
echo "undisturbed: $took ms, $total videos"

kinds=(all rank0 agent zygote lane mpirun stop-agent stop-rank0 stop-zygote stop-lane)
restarts=0 hits=0 redone_sum=0 redone_most=0
for ((round = 0; round < ROUNDS; round++)); do
    run=run$round
    # 3 steps through the ten kinds, and each kind comes in turn with and without recovery.
    what=${kinds[$((3 * round % ${#kinds[@]}))]}
    recovery=
    if [ $(((round + round / ${#kinds[@]}) % 2)) -eq 1 ]; then recovery=--enable-recovery; fi
    # From MPI_Init to the report.
    delay=$((took / 10 + RANDOM % (took * 9 / 10)))
    start $run $recovery >run.out 2>run.err &
    job=$!
    PIDS=$job
    pause_ms $delay
    bytes=$(journal_bytes $run)
    disturb "$what" $((1000 * LEASE + 500))
    hits=$((hits + (hit > 0)))
    # How long a run takes depends on who else is at work: the instants follow, so that most fall into it.
    if [ "$hit" -gt 0 ]; then took=$((took + took / 20)); else took=$((took - took / 6)); fi
    code=0
    wait_gone 180 "$recovery" $run.log.0
    wait $job 2>wait.err || code=$?
    PIDS=
    now=$(decided $run)
    [ "$(journal_bytes $run)" -ge "$bytes" ] || fail "round $round: the journals had $bytes bytes and have fewer"
    first="$what${recovery:+ (recovery)} after $delay ms: exit code $code, $now of $total decided"
    if [ "$now" -lt $total ] || [ ! -e $run/report.json ]; then
        if [ "$hit" -gt 0 ] && ! may_need_restart "$what" "$recovery"; then
            cat $run.log.*
            fail "round $round: $first: the rest should have done it all"
        fi
        restarts=$((restarts + 1))
        start $run >run.out 2>run.err || { cat $run.log.*; fail "round $round: $first: the restart's exit code is not 0"; }
    elif [ -z "$recovery" ] && [ "${what#stop-}" != "$what" ] && [ $code -ne 0 ]; then
        cat $run.log.*
        fail "round $round: $first: exit code of a run that lost nobody"
    fi
    [ "$(decided $run)" -eq $total ] || fail "round $round: $first: not complete after one restart"
    cmp whole/scores.csv $run/scores.csv || fail "round $round: $first: other scores"
    results_of whole >whole.results
    results_of $run >run.results
    cmp whole.results run.results || fail "round $round: $first: other results in report.json"

    # Every video was begun once, and again if its result had not reached a journal.
    redone=$(($(cat $run.log.* | grep -c ': begun, attempt') - n_begun))
    twice=$(recorded_twice $run)
    expired=$(expired_leases $run)
    most=$(($(n_ranks_hit "$what" "$recovery") * (LANES + FLUSH) + expired))
    echo "round $round: $first; $hit processes hit; $redone begun again, $twice recorded twice, $expired leases expired; at most $most"
    [ $redone -le $most ] || fail "round $round: $redone videos were begun again"
    [ $twice -le $redone ] || fail "round $round: $twice videos have two records and $redone were begun again"
    redone_sum=$((redone_sum + redone)) redone_most=$((redone > redone_most ? redone : redone_most))
    rm -rf "$run" $run.log.*
done
# A round may come too late for its victim; were that the rule, nothing would be tested.
[ $((2 * hits)) -ge "$ROUNDS" ] || fail "only $hits of $ROUNDS rounds found their victim"
echo "$ROUNDS rounds, $hits found their victim, $restarts restarts, $redone_sum videos begun again, at most $redone_most in a round"
