#!/bin/bash
# What bf16 does to scores is shown by a command, whose two columns are what runs in either precision give.
. "$(dirname "$0")/lib.sh"
corpus videos 6 2

expect_code 1 "$FAKESIFT" models check
expect_text err 'one of --cases and --compare-precision is needed'
expect_code 1 "$FAKESIFT" models check --compare-precision "$DETECTOR"
expect_text err '--compare-precision needs a CORPUS'
expect_code 1 "$FAKESIFT" run videos --detector "$DETECTOR" -o never --precision f16
expect_text err '--precision f16: not f32 or bf16'

if ! grep -qw avx512_bf16 /proc/cpuinfo; then
    expect_code 2 "$FAKESIFT" models check --compare-precision "$DETECTOR" videos
    expect_text err bf16
    skip "this processor has no AVX512-BF16: that it is refused was tested, and no more"
fi
expect_code 0 "$FAKESIFT" models check --compare-precision "$DETECTOR" videos
cp out compared.csv
expect_text compared.csv '6 of 10 videos scored in both: largest change 0.'
expect_text compared.csv '; 0 with another outcome'

# scores PRECISION COLUMN: of a run, and of the comparison's column; sorted, numbers alone
for precision in f32 bf16; do
    expect_code 0 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o "run-$precision" --backend onednn \
        --precision "$precision"
    column=$([ $precision = f32 ] && echo 3 || echo 5)
    awk -F, -v c="$column" 'NF == 6 && $2 == "scored" { print $1, $c + 0 }' compared.csv | sort > seen
    awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
             $at["outcome"] == "scored" { print $1, $at["p_fake"] + 0 }' "run-$precision/scores.csv" | sort > wanted
    [ "$(wc -l < wanted)" -eq 6 ] || fail "not six scores in $precision"
    cmp seen wanted || { diff seen wanted; fail "the comparison's $precision scores are not a run's"; }
done
cmp -s run-f32/scores.csv run-bf16/scores.csv && fail "bf16 changes nothing: it was not used"

# The two are different protocols: one does not go on where the other stopped.
expect_code 2 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o run-f32 --backend onednn --precision bf16
expect_text err precision
