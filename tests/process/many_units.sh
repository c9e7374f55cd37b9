#!/bin/bash
# The real loop, channel, dispatch, agents and journals with lanes that answer at once, on four ranks: every unit is done once,
# however many messages travel together. And the schedule under a virtual clock, with a node lost, stays within 2 % of its bound.
. "$(dirname "$0")/lib.sh"
BENCH=$(dirname "$FAKESIFT")/bench
export TMPDIR=$WORK

for lanes in 1 16; do
    expect_code 0 mpi -n 4 "$BENCH/bench_throughput" 12345 $lanes
    expect_text out '"units": 12345'
done
"$BENCH/bench_schedule" --units 100000 --lanes 16,256 >schedule.json 2>err || { cat err; fail "bench_schedule"; }
/usr/bin/python3 - schedule.json <<'END' || fail "the schedule is further from its bound"
import json
import sys
runs = json.load(open(sys.argv[1]))["runs"]
assert len(runs) == 2 and all(r["agents_lost"] == 1 for r in runs), runs
assert all(0 <= r["over_bound"] < 0.02 for r in runs), runs
assert all(r["starts"] >= 100000 for r in runs), runs
END
