#!/bin/bash
# A disk that becomes full under the journal stops the run with exit code 75 and loses nothing that was recorded.
. "$(dirname "$0")/lib.sh"
corpus videos 30 1
mkdir -p run/journal
mount -t tmpfs -o size=4k tmpfs run/journal 2>/dev/null || skip "mounting a tmpfs needs root"
trap 'umount -l "$WORK/run/journal" 2>/dev/null || true; at_end' EXIT

expect_code 75 timeout 120 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o run
grep -E 'journal: cannot append: No space left' err || { cat err; fail "the error does not say that the disk is full"; }
expect_code 0 "$FAKESIFT" status run
cat out
kept=$(sed -nE 's/^run: ([0-9]+) of 34 videos decided.*/\1/p' out)
if [ "$kept" -eq 0 ] || [ "$kept" -eq 34 ]; then fail "$kept videos were kept"; fi

# With room again it goes on from what was kept.
mkdir saved
cp run/journal/* saved/
umount run/journal
cp saved/* run/journal/
expect_code 0 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o run
expect_text out '34 of 34 videos decided'
expect_text err "resuming, $kept of 34 videos are decided"
