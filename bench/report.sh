#!/usr/bin/env bash
# A report of RECORDS made-up records (default 1,000,000; the limit is for 10,000,000) on two cores: wall, CPU, memory, by part.
# Limit: 60 s and 4 GiB at 10,000,000.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cmake --build build --target make_run report_time >/dev/null
work=$(mktemp -d "${TMPDIR:-/tmp}/fakesift-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
build/bench/make_run "${RECORDS:-1000000}" "$work/run"
for _ in 1 2 3; do
    taskset -c 0,1 build/bench/report_time "$work/run" | tail -n 2
done
