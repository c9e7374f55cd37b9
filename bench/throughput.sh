#!/usr/bin/env bash
# Empty units a second through one coordinator and four agents (bench/throughput.c says what that includes): the median of five.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p .cache
limit=20000
: >.cache/bench-throughput.json
for _ in 1 2 3 4 5; do
    mpirun -n 4 build/bench/bench_throughput | tee -a .cache/bench-throughput.json
done
median=$(sed -n 's/.*"units_a_second": \([0-9]*\).*/\1/p' .cache/bench-throughput.json | sort -n | sed -n 3p)
echo "median: $median units a second, limit $limit; load average $(cut -d' ' -f1 /proc/loadavg) on $(nproc) cores"
[ "$median" -ge "$limit" ]
