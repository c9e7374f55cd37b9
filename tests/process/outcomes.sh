#!/bin/bash
# Every file of a corpus ends with exactly one outcome, alone and under mpirun, and the report's files are there.
. "$(dirname "$0")/lib.sh"
corpus videos 6 2

expect_code 0 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o run
for f in scores.csv report.json report.html results.sqlite run.json manifest.csv; do
    [ -s run/$f ] || fail "$f is missing"
done
expect_text out '10 of 10 videos decided'
expect_text out AUC
[ "$(wc -l < run/scores.csv)" -eq 11 ] || fail "scores.csv has not one row a video"
[ "$(outcome run real/2.mp4)" = scored ] || fail "a good clip is $(outcome run real/2.mp4)"
[ "$(outcome run real/text.mp4)" = no_video ] || fail "a text file is $(outcome run real/text.mp4)"
[ "$(outcome run real/empty.mp4)" = no_video ] || fail "an empty file is $(outcome run real/empty.mp4)"
[ "$(outcome run real/stump.mp4)" = decode_error ] || fail "a stump is $(outcome run real/stump.mp4)"
[ "$(outcome run real/fifo.mp4)" = no_video ] || fail "a FIFO is $(outcome run real/fifo.mp4)"

expect_code 3 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o run --strict
expect_code 0 "$FAKESIFT" status run
expect_text out '10 of 10 videos decided'
expect_text out 'no job works on it'

# The same through a manifest and through a list of files, one of which is not there.
expect_code 0 "$FAKESIFT" scan videos -o manifest.csv --probe
expect_text out '10 videos'
grep -q 'mov,h264' manifest.csv || fail "the manifest has no probed facts"
expect_code 0 "$FAKESIFT" run manifest.csv --detector "$DETECTOR" -o run-manifest
cmp run/scores.csv run-manifest/scores.csv || fail "a manifest gives other scores than its corpus"
printf 'path,label\nvideos/real/2.mp4,REAL\nvideos/gone.mp4,FAKE\n' > list.csv
expect_code 0 "$FAKESIFT" run list.csv --detector "$DETECTOR" -o run-list
[ "$(outcome run-list videos/gone.mp4)" = missing ] || fail "an absent file is $(outcome run-list videos/gone.mp4)"

# report writes the same again.
cp run/scores.csv before.csv
rm run/scores.csv run/report.json
expect_code 0 "$FAKESIFT" report run
cmp run/scores.csv before.csv || fail "report gives other scores than run"
