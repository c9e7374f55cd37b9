#!/bin/bash
# Backend and precision are part of a run: another one does not resume it, what a machine cannot do is refused, and each
# gives the same bytes for any number of ranks.
. "$(dirname "$0")/lib.sh"
corpus videos 6 4 320x240

for backend in native openblas onednn; do
    expect_code 0 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" --backend $backend -o $backend --lanes 1
    expect_code 0 mpi -n 2 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" --backend $backend -o $backend.2
    cmp $backend/scores.csv $backend.2/scores.csv || fail "$backend: two ranks give other scores"
done

expect_code 2 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" --backend native -o openblas
expect_text err 'backend'
expect_text err 'native'
expect_text err 'openblas'
expect_code 1 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" --backend cuda -o other
expect_text err "not auto, onednn, openblas or native"
expect_code 2 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" --backend openblas --precision bf16 -o other
expect_text err 'precision bf16 needs backend onednn, not openblas'
[ ! -e other ] || fail "a run that was refused left a folder"

if grep -q avx512_bf16 /proc/cpuinfo; then
    expect_code 0 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" --backend onednn --precision bf16 -o bf16 --lanes 1
    expect_code 0 mpi -n 2 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" --backend onednn --precision bf16 -o bf16.2
    cmp bf16/scores.csv bf16.2/scores.csv || fail "bf16: two ranks give other scores"
    expect_code 2 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" --backend onednn -o bf16
    expect_text err 'precision'
    ! cmp -s bf16/scores.csv onednn/scores.csv || fail "bf16 gives the bytes of f32"
fi
