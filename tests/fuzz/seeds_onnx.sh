#!/usr/bin/env bash
# Seeds for fuzz_onnx: one small network for each of ONNX's own cases (every operator in many forms; Debian's libonnx-testdata),
# and this project's. In: the folder to fill. Out: its files; how many on stdout.
set -euo pipefail

to=${1:?the folder to fill is missing}
data=$(cd "$(dirname "${BASH_SOURCE[0]}")/../data" && pwd)
cases=/usr/share/libonnx-testdata/data
mkdir -p "$to"
if [ -d "$cases" ]; then
    find "$cases" -name model.onnx -size -17k | while read -r model; do
        cp "$model" "$to/$(basename "$(dirname "$model")").onnx"
    done
fi
cp "$data"/hostile/*.onnx "$data"/networks/*.onnx "$to"
# At the bound of what folding may cost: seconds each as they are, minutes under a fuzzer. unit.hostile_cost has them.
rm -f "$to"/many_sums.onnx "$to"/many_products.onnx
find "$to" -name '*.onnx' | wc -l
