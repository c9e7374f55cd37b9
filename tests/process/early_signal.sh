#!/bin/bash
# A signal while the corpus is listed or the detector loads is answered at once, alone and under mpirun: exit code 75, and the
# same command goes on. The corpus is a list of a million files, so that listing it takes a while.
. "$(dirname "$0")/lib.sh"
. "$SOURCE/tests/process/crash_lib.sh"
corpus videos 4 1
{ echo path; seq -f 'no/such/%.0f.mp4' 1000000; } >long.csv

# answers SIGNAL COMMAND...: started, it is told to stop while it lists, and has ended within 10 s.
answers() {
    local code=0 began signal=$1

    shift
    "$@" >early.out 2>early.err &
    PIDS=$!
    wait_for 30 opened
    began=$(milliseconds)
    kill -"$signal" "$PIDS"
    wait "$PIDS" || code=$?
    PIDS=
    echo "$*: exit code $code after $(($(milliseconds) - began)) ms"
    [ $code -eq 75 ] || { cat early.err; fail "exit code $code, not 75"; }
    [ $(($(milliseconds) - began)) -lt 10000 ] || fail "not answered at once"
    expect_text early.err 'stopped by a signal before the first video'
    wait_for 20 none_left
}

# Some process of ours reads the list.
opened() {
    local p
    for p in $(ours); do
        if find "/proc/$p/fd" -lname '*/long.csv' 2>/dev/null | grep -q .; then return 0; fi
    done
    false
}

answers TERM "$FAKESIFT" run long.csv --layout csv --detector "$DETECTOR" -o run
# mpirun ends its ranks itself on TERM, and hands on USR1.
answers USR1 mpirun -n 3 "$FAKESIFT" run long.csv --layout csv --detector "$DETECTOR" -o run
expect_code 0 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o run
