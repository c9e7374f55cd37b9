#!/bin/bash
# A disk that becomes full or read-only under the journal, or forbids to write, stops the run with exit code 75 and loses
# nothing that was recorded.
. "$(dirname "$0")/lib.sh"
corpus videos 30 1
mkdir -p run/journal
mount -t tmpfs -o size=4k tmpfs run/journal 2>/dev/null || skip "mounting a tmpfs needs root"
unmount_all() { umount -l "$WORK/run/journal" "$WORK/readonly/run/journal" "$WORK/readonly" 2>/dev/null || true; }
trap 'unmount_all; at_end' EXIT

# kept RUN: how many videos status says are decided.
kept() {
    expect_code 0 "$FAKESIFT" status "$1"
    sed -nE "s/^$1: ([0-9]+) of 34 videos decided.*/\1/p" out
}

expect_code 75 timeout 120 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o run
grep -E 'journal: cannot append: No space left' err || { cat err; fail "the error does not say that the disk is full"; }
n=$(kept run)
if [ "$n" -eq 0 ] || [ "$n" -eq 34 ]; then fail "$n videos were kept"; fi

# With room again it goes on from what was kept.
mkdir saved
cp run/journal/* saved/
umount run/journal
cp saved/* run/journal/
expect_code 0 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o run
expect_text out '34 of 34 videos decided'
expect_text err "resuming, $n of 34 videos are decided"

# A journal that is read-only when its first record comes (a kernel refuses to remount under an open segment).
mkdir readonly
mount -t tmpfs -o size=64m tmpfs readonly
mkdir -p readonly/run/journal
mount --bind readonly/run/journal readonly/run/journal
mount -o remount,ro,bind readonly/run/journal
expect_code 75 timeout 120 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o readonly/run
grep -E 'journal.*: cannot create: Read-only file system' err || { cat err; fail "it does not say that it is read-only"; }
umount readonly/run/journal
expect_code 0 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o readonly/run
expect_text out '34 of 34 videos decided'
cmp run/scores.csv readonly/run/scores.csv || fail "other scores after read-only"

# The whole run folder read-only.
mount -o remount,ro readonly
expect_code 75 "$FAKESIFT" run videos --layout dir --detector "$DETECTOR" -o readonly/run
expect_text err 'Read-only file system'
expect_code 0 "$FAKESIFT" status readonly/run
mount -o remount,rw readonly

# A journal that this user may not write to.
nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
chmod 755 "$WORK"
nobody test -r "$DETECTOR" -a -x "$FAKESIFT" -a -r videos/real/2.mp4 || { echo "nobody may not read these folders: not tried"; exit 0; }
mkdir -p denied/journal
chown 65534 denied
expect_code 75 nobody timeout 120 "$FAKESIFT" run "$WORK/videos" --layout dir --detector "$DETECTOR" -o denied
expect_text err 'cannot create: Permission denied'
chown 65534 denied/journal
expect_code 0 nobody "$FAKESIFT" run "$WORK/videos" --layout dir --detector "$DETECTOR" -o denied
cmp run/scores.csv denied/scores.csv || fail "other scores after the permission came"
