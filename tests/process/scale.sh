#!/bin/bash
# Seen from outside: status in its three forms during a run and after it, the end's text, counts checked against journals,
# and a scan that gives the same manifest at any number of ranks.
. "$(dirname "$0")/lib.sh"
corpus videos 12 2
json() { /usr/bin/python3 -c "import json, sys; o = json.load(open(sys.argv[1])); print(($2))" "$1"; }

# A scan's manifest does not depend on the number of ranks and lanes.
expect_code 0 "$FAKESIFT" scan videos --layout dir --probe --lanes 1 -o alone.csv
expect_text out '4 of them could not be probed'
for ranks in 1 3; do
    ASAN_OPTIONS=detect_leaks=0 expect_code 0 mpirun -n $ranks "$FAKESIFT" scan videos --layout dir --probe -o ranks.csv
    cmp alone.csv ranks.csv || fail "another manifest at $ranks ranks"
done
ASAN_OPTIONS=detect_leaks=0 expect_code 0 mpirun -n 2 "$FAKESIFT" scan videos --layout dir -o unprobed.csv
grep -q ',h264,' alone.csv || fail 'no facts in a probed manifest'
! grep -q ',h264,' unprobed.csv || fail 'facts in a manifest that was not probed'
# What cannot be listed ends every rank.
code=0
mpi -n 2 "$FAKESIFT" scan nowhere --probe -o none.csv >out 2>err || code=$?
[ $code -ne 0 ] || fail 'a corpus that is not there was scanned'
expect_text err 'nowhere: no such folder'

# A run's end.
expect_code 0 mpi -n 2 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o run --lanes 1
expect_text out 'efficiency'
expect_text out 'core-hours per 1,000 videos'
expect_text out 'slowest videos:'
[ "$(json run/run.json "len(o['executions'][0]['slowest'])")" = 10 ] || fail 'not ten slowest videos in run.json'
[ "$(json run/run.json "0 < o['executions'][0]['efficiency'] <= 1.0")" = True ] || fail 'no efficiency in run.json'
[ ! -e run/progress.json ] || fail 'progress.json is left after the run'
expect_code 0 "$FAKESIFT" status run --json
[ "$(json out "o['done'], o['videos'], o['is_complete'], o['is_working'], o['live'], sum(o['outcomes'].values())")" = \
    "(16, 16, True, False, None, 16)" ] || { cat out; fail 'status --json after the run'; }
expect_code 0 "$FAKESIFT" status run --prometheus
expect_text out 'fakesift_videos_done{run="run"} 16'
expect_text out 'fakesift_working{run="run"} 0'
# A run that has nothing to do counts nothing, and agrees with the journals.
expect_code 0 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o run
! grep -q efficiency out || fail 'an efficiency of no work'

# A lane that stands still keeps a run open, to be looked at from outside.
lanes_of() { for zygote in $(pgrep -P "$1"); do pgrep -P "$zygote" || true; done; }
have_lane() {
    local lane
    lane=$(lanes_of "$PIDS" | head -1)
    [ -n "$lane" ] && grep -qE '^Seccomp:.*[12]$' "/proc/$lane/status" 2>/dev/null
}
have_records() { [ "$(cat open/journal/*.journal 2>/dev/null | wc -c)" -gt 200 ]; }
corpus more 30 3 320x240
"$FAKESIFT" run more --layout dir --detector "$DETECTOR" -o open --lanes 1 >run.out 2>run.err &
PIDS=$!
wait_for 60 have_lane
wait_for 60 have_records
kill -STOP "$(lanes_of "$PIDS" | head -1)"
is_live() { "$FAKESIFT" status open --json >live.json && [ "$(json live.json "o['live'] is not None and o['live']['in_flight'] > 0")" = True ]; }
wait_for 30 is_live
[ "$(json live.json "o['is_working'], o['videos'], o['live']['agents'], o['live']['lanes'], o['live']['in_flight'] > 0")" = \
    "(True, 34, 1, 1, True)" ] || { cat live.json; fail 'status --json during the run'; }
[ "$(json live.json "o['done'] == sum(o['outcomes'].values())")" = True ] || { cat live.json; fail 'outcomes do not add up'; }
expect_code 0 "$FAKESIFT" status open
expect_text out '1 rank, 1 lane'
expect_text out "pid $PIDS"
expect_code 0 "$FAKESIFT" status open --prometheus
expect_text out 'fakesift_in_flight{run="open"} '
expect_code 0 "$FAKESIFT" status open --journals --json

# Somebody else's records among the journals while the job runs: its own counts tell.
for segment in open/journal/*.journal; do break; done
cp "$segment" open/journal/00000000000000000000-1-rank0.journal
kill -CONT "$(lanes_of "$PIDS" | head -1)"
code=0
wait "$PIDS" || code=$?
PIDS=
[ $code -eq 2 ] || { cat run.err; fail "exit code $code, not 2, with records that no rank counted"; }
expect_text run.err 'the ranks counted 34 results in this start and the journals hold'
# They are of the run all the same, and a report says that some stand twice.
expect_code 0 "$FAKESIFT" report open
expect_text out 'each counts once'
expect_code 0 "$FAKESIFT" run more --layout dir --detector "$DETECTOR" -o open
