#!/bin/bash
# A disk that becomes full under the journal stops the run with exit code 75 and loses nothing that was recorded.
. "$(dirname "$0")/lib.sh"
corpus videos 30 1
mkdir small
mount -t tmpfs -o size=64k tmpfs small 2>/dev/null || skip "mounting a tmpfs needs root"
PIDS=
trap 'umount -l "$WORK/small"; at_end' EXIT

mkdir -p small/run
# What the journal may still take: next to nothing.
head -c 40000 /dev/zero > small/ballast
expect_code 75 timeout 120 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o small/run
cat err
grep -qE 'No space left|cannot (write|append|create)' err || fail "the error does not say that the disk is full"
rm small/ballast
expect_code 0 "$FAKESIFT" status small/run
cat out
umount small
mount -t tmpfs -o size=64m tmpfs small
expect_code 0 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o small/run
expect_text out '34 of 34 videos decided'
