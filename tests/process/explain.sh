#!/bin/bash
# fakesift explain: of a run as it is made, finished or not; what is wrong is said in one line.
. "$(dirname "$0")/lib.sh"
corpus corpus 4 2
expect_code 0 "$FAKESIFT" run corpus --layout dir --detector "$DETECTOR" -o run

video=fake/blend/1.mp4
score=$(sqlite3 run/results.sqlite "SELECT printf('%.4f', p_fake) FROM video WHERE path = '$video'")
expect_code 0 "$FAKESIFT" explain --ascii run "$video"
expect_text out "video       $video"
expect_text out "label       FAKE, family blend"
expect_text out "P(fake)     $score by "
# This detector takes whole frames, and says so.
expect_text out "faces were not looked for: this detector takes whole frames"
grep -qE '^frames +[0-9.]+$' out || { cat out; fail "no time line"; }
expect_code 0 "$FAKESIFT" explain run "$PWD/corpus/$video" --clips
expect_text out "clips         from s      to s  face  frames  P(fake)"

expect_code 0 "$FAKESIFT" explain --json run "$video"
python3 - run "$video" <<'END' || fail "the JSON differs from the database"
import json, sqlite3, sys
x = json.load(open("out"))
db = sqlite3.connect(sys.argv[1] + "/results.sqlite")
path, = db.execute("SELECT p_fake FROM video WHERE path = ?", (sys.argv[2],)).fetchone(),
clips = db.execute("SELECT track, clip.clip, start_us, end_us, clip.n_frames, clip.p_fake FROM clip JOIN video ON video_id = id "
                   "WHERE path = ? ORDER BY 1, 2", (sys.argv[2],)).fetchall()
got = [(t["track"], c["clip"], c["start_us"], c["end_us"], c["n_frames"], c["p_fake"]) for t in x["tracks"] for c in t["clips"]]
assert x["p_fake"] == path[0], (x["p_fake"], path)
assert got == clips and clips, (got, clips)
END

# A video without a score has a story, too.
expect_code 0 "$FAKESIFT" explain run real/text.mp4
expect_text out "outcome     no_video"
expect_code 0 "$FAKESIFT" explain --html page.html run "$video"
[ ! -s out ] || fail "--html printed"
expect_text page.html "$video"

# one_line WANT: standard error is that text and nothing else.
one_line() {
    [ "$(wc -l <err)" = 1 ] || { cat err; fail "not one line"; }
    expect_text err "$1"
}
expect_code 2 "$FAKESIFT" explain run 1.mp4
one_line "fakesift explain: 1.mp4: not in this run; near it: fake/blend/1.mp4"
expect_code 2 "$FAKESIFT" explain corpus "$video"
one_line "fakesift explain: "
expect_code 2 "$FAKESIFT" explain run "$video" --html /nonexistent/page.html
one_line "/nonexistent/page.html"
expect_code 1 "$FAKESIFT" explain run
expect_text err "VIDEO is missing"
# What cannot be written is said, not lost.
if [ -w /dev/full ]; then
    rc=0
    "$FAKESIFT" explain run "$video" >/dev/full 2>err || rc=$?
    [ $rc = 2 ] || fail "a full disk went unnoticed: $rc"
    one_line "cannot write"
fi

# Of a run that has not begun, nothing is known, and that is said.
cp -r run begun
rm -rf begun/journal/*
expect_code 0 "$FAKESIFT" explain begun "$video"
expect_text out "outcome     undecided"
expect_text out "nothing was looked at yet"
echo "explain says what the journals hold"
