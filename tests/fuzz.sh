#!/usr/bin/env bash
# Each libFuzzer target for a few seconds, under ASan and UBSan, from its seeds: ./run test's step. Longer: tests/fuzz/CMakeLists.txt.
# In: nothing, or targets' names (onnx, wire, ...). FAKESIFT_FUZZ_SECONDS: how long each runs (default 5; onnx, whose seeds are many,
# three times that); FAKESIFT_FUZZ_SEED: the mutations' (default 1, so that a run can be repeated; 0 = another each time).
# Out: a line a target and "N passed, N failed"; what crashed a target lies in build-fuzz/. Builds in build-fuzz/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${FAKESIFT_FUZZ_SECONDS:-5}
seed=${FAKESIFT_FUZZ_SEED:-1}
targets=("$@")
if [ $# = 0 ]; then
    for source in tests/fuzz/fuzz_*.c; do
        name=${source#tests/fuzz/fuzz_}
        targets+=("${name%.c}")
    done
fi
if [ ! -f build-fuzz/build.ninja ]; then
    cmake -B build-fuzz -G Ninja -DCMAKE_C_COMPILER=clang -DFAKESIFT_SANITIZE=ON -DFAKESIFT_FUZZ=ON -DFAKESIFT_TESTS=ON
fi
cmake --build build-fuzz -j "$(nproc)" --target "${targets[@]/#/fuzz_}"

work=$(mktemp -d "${TMPDIR:-/tmp}/fakesift-fuzz.XXXXXX")
trap 'rm -rf "$work"' EXIT

# run NAME: fills its folder of seeds, fuzzes, says how it went.
run() {
    local name=$1 began=$SECONDS n_seconds=$seconds log=$work/$1.log seeds=$work/$1.seeds options=(-max_len=32768)
    mkdir -p "$seeds"
    case $name in
    onnx)
        bash tests/fuzz/seeds_onnx.sh "$seeds" >/dev/null
        # A sixth of them, since each is run before anything is changed: the others have their turn in ctest and in long runs.
        find "$seeds" -name '*.onnx' | sort | awk 'NR % 6' | xargs rm -f
        n_seconds=$((3 * seconds))
        options=(-max_len=16384 -dict=tests/fuzz/onnx.dict)
        ;;
    decoder) bash tests/fuzz/seeds_decoder.sh "$seeds" >/dev/null ;;
    card) find models/cards tests/data -name '*.json' -size -16k | awk -v to="$seeds" '{ print $0; print to "/" NR ".json" }' | xargs -n 2 cp ;;
    *) cp tests/fuzz/seeds/"$name"/* "$seeds" ;;
    esac
    # A process of its own group, so that what a target leaves running cannot hold the step up.
    if timeout -k 5 $((n_seconds + 60)) build-fuzz/tests/fuzz/fuzz_"$name" "${options[@]}" -seed="$seed" -rss_limit_mb=2048 -timeout=30 \
        -max_total_time="$n_seconds" -print_final_stats=1 -artifact_prefix=build-fuzz/ "$seeds" >"$log" 2>&1; then
        echo "ok fuzz_$name: $(awk '/stat::number_of_executed_units/ { print $2 }' "$log") runs in $((SECONDS - began)) s"
    else
        echo "FAILED fuzz_$name:"
        tail -n 60 "$log"
        return 1
    fi
}
for name in "${targets[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do
        wait -n || true
    done
    run "$name" >"$work/$name.said" 2>&1 &
done
wait
n_failed=0
for name in "${targets[@]}"; do
    cat "$work/$name.said"
    grep -q "^ok fuzz_$name:" "$work/$name.said" || n_failed=$((n_failed + 1))
done
echo "$((${#targets[@]} - n_failed)) passed, $n_failed failed"
[ "$n_failed" = 0 ]
