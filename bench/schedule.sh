#!/usr/bin/env bash
# The coordinator's schedule under a virtual clock (bench/schedule.c says how): makespan beside its lower bound, and beside
# static sharding; CPU and memory a unit. Arguments go to the program (--units, --lanes, --seed, --no-losses).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p .cache
build/bench/bench_schedule "$@" >.cache/bench-schedule.json
/usr/bin/python3 -B bench/schedule.py .cache/bench-schedule.json .cache/bench-schedule.tsv
gnuplot -e "data='.cache/bench-schedule.tsv'; out='.cache/bench-schedule.svg'" bench/schedule.gp
echo "json: .cache/bench-schedule.json  plot: .cache/bench-schedule.svg"
