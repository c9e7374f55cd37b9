#!/usr/bin/env bash
# Bootstrap intervals of VIDEOS made-up videos (default 1,000,000), on one thread and on two. Limit: 2,000 replicates of the AUC
# in 30 s on two cores, with the same bits on any number of threads.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cmake --build build --target bench_metrics >/dev/null
build/bench/bench_metrics "${VIDEOS:-1000000}"
