#!/bin/bash
# A rank that hangs for good: the rest does its work, the report is written, and plain mpirun ends with the run's own code, 0,
# and leaves nothing behind. A coordinator that hangs for good: the others end the job, resumable.
# shellcheck disable=SC2046 # process ids are split on purpose
. "$(dirname "$0")/lib.sh"
. "$SOURCE/tests/process/crash_lib.sh"
# Enough that nobody is done before a rank is stopped.
many_clips videos 600

# hang WHO WANTED-CODE RUN
hang() {
    local code=0 victim=

    mpi -n 3 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o "$3" --lanes 1 --flush 1 --silence 4 >run.out 2>run.err &
    PIDS=$!
    some_records() { [ "$(journal_bytes "$1")" -gt 1000 ]; }
    wait_for 60 some_records "$3"
    victim=$(pick $(victims "$1"))
    [ -n "$victim" ] || fail "no $1"
    kill -STOP "$victim"
    wait "$PIDS" || code=$?
    PIDS=
    echo "$1 hangs: exit code $code, $(decided "$3") of $total decided"
    [ $code -eq "$2" ] || { cat run.err; fail "exit code $code, not $2"; }
    wait_for 20 none_left
}

"$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o whole >/dev/null 2>&1 || fail "the undisturbed run"
hang agent 0 hung
expect_text run.out "$total of $total videos decided"
cmp whole/scores.csv hung/scores.csv || fail "other scores"
hang rank0 75 headless
"$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o headless >/dev/null 2>&1 || fail "the restart"
cmp whole/scores.csv headless/scores.csv || fail "other scores after the restart"
