#!/bin/bash
# A lane that is killed costs one attempt; a signal drains the run, which then can be resumed; a second job is refused.
. "$(dirname "$0")/lib.sh"
corpus videos 24 4 320x240

# The lanes of a fakesift process: grandchildren through its zygote.
lanes_of() { for zygote in $(pgrep -P "$1"); do pgrep -P "$zygote" || true; done; }

"$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o run --lanes 1 >run.out 2>run.err &
PIDS=$!
# A lane that has entered its sandbox and so has greeted: one that dies before costs its video no attempt.
have_lane() {
    local lane
    lane=$(lanes_of "$PIDS" | head -1)
    [ -n "$lane" ] && grep -qE '^Seccomp:.*[12]$' "/proc/$lane/status" 2>/dev/null
}
wait_for 30 have_lane
lane=$(lanes_of "$PIDS" | head -1)

# Stopped, it holds its unit, and the run cannot end while the next three steps look at it.
kill -STOP "$lane"
expect_code 2 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o run
expect_text err "pid $PIDS"
expect_code 0 "$FAKESIFT" status run
expect_text out 'a job works on it'
kill -9 "$lane"
wait "$PIDS" || fail "a killed lane ended the run"
PIDS=
expect_text run.err 'attempt failed: crashed: killed by signal 9'
expect_code 0 "$FAKESIFT" status run
expect_text out '28 of 28 videos decided'
! grep -q crashed out || fail "one crash was taken for the video's outcome"

for signal in TERM USR1; do
    "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o "drained$signal" --lanes 1 >drain.out 2>drain.err &
    PIDS=$!
    records() { [ "$(cat "drained$signal"/journal/*.journal 2>/dev/null | wc -c)" -gt 200 ]; }
    wait_for 30 records
    kill -"$signal" "$PIDS"
    code=0
    wait "$PIDS" || code=$?
    PIDS=
    [ $code -eq 75 ] || { cat drain.err; fail "SIG$signal: exit code $code, not 75"; }
    expect_text drain.err 'the same command goes on'
    expect_code 0 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o "drained$signal"
    cmp run/scores.csv "drained$signal/scores.csv" || fail "a drained and resumed run gives other scores"
done

# The grace: none drops what is in work; one that is longer than the work waits for it, and no longer; a second signal a
# while after the first ends it at once. A lane that stands still is work that takes longer than any grace.
# drain GRACE SIGNALS: how many seconds the drain took goes to ./took.
drain() {
    local run=grace$1-$2 start lane
    "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o "$run" --lanes 1 --grace "$1" >drain.out 2>drain.err &
    PIDS=$!
    in_work() { have_lane && [ "$(cat "$run"/journal/*.journal 2>/dev/null | wc -c)" -gt 200 ]; }
    wait_for 60 in_work
    lane=$(lanes_of "$PIDS" | head -1)
    [ "$3" = moving ] || kill -STOP "$lane"
    start=$(date +%s%N)
    kill -TERM "$PIDS"
    if [ "$2" = 2 ]; then
        read -rt 1.5 <> <(:) || true
        kill -USR1 "$PIDS"
    fi
    code=0
    wait "$PIDS" || code=$?
    PIDS=
    took_ms=$((($(date +%s%N) - start) / 1000000))
    [ $code -eq 75 ] || { cat drain.err; fail "grace $1, $2 signals: exit code $code, not 75"; }
    "$FAKESIFT" report "$run" >report.out
    ! grep -qE 'crashed|timeout' "$run/scores.csv" || fail "what a drain dropped has an outcome"
}
drain 0 1 still
[ $took_ms -lt 20000 ] || fail "a drain without grace took $took_ms ms"
drain 3 1 still
[ $took_ms -ge 3000 ] || fail "a drain with 3 s of grace took $took_ms ms only"
drain 600 1 moving
[ $took_ms -lt 120000 ] || fail "a drain waited $took_ms ms for its grace, not for the work"
drain 600 2 still
[ $took_ms -lt 60000 ] || fail "a second signal did not end the drain: $took_ms ms"
expect_code 0 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o grace0-1
cmp run/scores.csv grace0-1/scores.csv || fail "a run that was drained without grace and resumed gives other scores"

# A unit that never answers is killed at its deadline and gets its outcome.
"$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o hung --lanes 1 --timeout 1 --retries 0 >hung.out 2>hung.err &
PIDS=$!
wait_for 30 have_lane
kill -STOP "$(lanes_of "$PIDS" | head -1)"
wait "$PIDS" || fail "a hung lane ended the run"
PIDS=
grep -q ',timeout,' hung/scores.csv || { cat hung/scores.csv; fail "no video has the outcome timeout"; }
