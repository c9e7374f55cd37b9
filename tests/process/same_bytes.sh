#!/bin/bash
# scores.csv and the report's results are the same bytes for 1, 2 and 3 ranks, and after kill -9 of the whole job in its
# middle and a second start.
. "$(dirname "$0")/lib.sh"
corpus videos 40 4 320x240

results() {
    /usr/bin/python3 -c 'import json, sys; json.dump(json.load(open(sys.argv[1]))["results"], sys.stdout)' "$1/report.json"
}

expect_code 0 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o run1 --lanes 1
for n in 1 2 3; do
    expect_code 0 mpi -n $n "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o mpi$n
    cmp run1/scores.csv mpi$n/scores.csv || fail "$n ranks give other scores"
    [ "$(results run1)" = "$(results mpi$n)" ] || fail "$n ranks give other results"
done

ASAN_OPTIONS=detect_leaks=0 setsid mpirun -n 2 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o killed >out 2>err &
PIDS=$!
records() { [ "$(cat killed/journal/*.journal 2>/dev/null | wc -c)" -gt 400 ]; }
wait_for 60 records
# The whole job: mpirun and everything that it started.
mapfile -t job < <(pgrep -s "$PIDS")
kill -9 "${job[@]}" 2>/dev/null || true
wait "$PIDS" 2>/dev/null || true
all_gone() { ! pgrep -s "$PIDS" >pids; }
wait_for 10 all_gone
PIDS=
[ ! -e killed/scores.csv ] || fail "the job was over before it could be killed"
expect_code 0 "$FAKESIFT" status killed
expect_text out 'no job works on it'
cat out
expect_code 0 mpi -n 2 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o killed
expect_text err 'resuming'
cmp run1/scores.csv killed/scores.csv || fail "a killed and resumed job gives other scores"
[ "$(results run1)" = "$(results killed)" ] || fail "a killed and resumed job gives other results"
