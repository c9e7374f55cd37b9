#!/bin/bash
# What a resumed run does again: just what is new or changed, and what a damaged journal lost; the scores are those of a fresh
# run of the final corpus, byte for byte. Another detector is refused. A file that changed after the listing is not scored.
. "$(dirname "$0")/lib.sh"
. "$SOURCE/tests/process/crash_lib.sh"
many_clips videos 24
rm videos/real/fifo.mp4

run() { "$FAKESIFT" run "$1" --layout auto --detector "$DETECTOR" -o "$2" --lanes 2 --verbose "${@:3}" >run.out 2>run.err; }
begun() { sed -nE 's/.* debug (.*): begun, attempt .*/\1/p' run.err | sort | tr '\n' ' '; }
expect_begun() { [ "$(begun)" = "$1" ] || { cat run.err; fail "begun were: $(begun)"; }; }
same_as_fresh() {
    run videos "fresh$1" || fail "the fresh run"
    cmp "fresh$1/scores.csv" "$2/scores.csv" || fail "$2: other scores than a fresh run's"
    results_of "fresh$1" >fresh.results
    results_of "$2" >resumed.results
    cmp fresh.results resumed.results || fail "$2: other results than a fresh run's"
}

# Grown at both ends and in the middle, shrunk, one replaced by a longer file, one touched: indices move.
run videos grown || fail "the first run"
mkdir videos/fake/added videos/Aaa
cp videos/real/001.mp4 videos/fake/added/x.mp4
cp videos/real/003.mp4 videos/Aaa/first.mp4
cp videos/real/005.mp4 videos/zlast.mp4
rm videos/real/007.mp4 videos/fake/blend/002.mp4
cp videos/real/009.mp4 videos/real/011.mp4
printf 'x' >>videos/real/011.mp4
touch -d '2001-02-03 04:05:06.789' videos/real/013.mp4
run videos grown || fail "the resumed run"
expect_begun 'Aaa/first.mp4 fake/added/x.mp4 real/011.mp4 real/013.mp4 zlast.mp4 '
same_as_fresh 1 grown

# By content: what was touched is not done again, and other bytes of the same size and time are found.
run videos hashed --hash || fail "the first run with --hash"
touch -d '2002-02-03 04:05:06' videos/real/013.mp4
cp -p videos/real/015.mp4 saved.mp4
printf 'y' | dd of=videos/real/015.mp4 bs=1 seek=$(($(stat -c %s saved.mp4) - 1)) conv=notrunc 2>/dev/null
touch -r saved.mp4 videos/real/015.mp4
run videos hashed --hash || fail "the resumed run with --hash"
expect_begun 'real/015.mp4 '
same_as_fresh 2 hashed
expect_code 0 "$FAKESIFT" scan videos --hash -o listed.csv
[ "$(sed -nE 's/^real\/013\.mp4,.*,([0-9a-f]{64})$/\1/p' listed.csv)" = "$(sha256sum <videos/real/013.mp4 | cut -d' ' -f1)" ] ||
    fail "the manifest's content is not sha256sum's"
run listed.csv hashed || fail "a run of a manifest with contents"
expect_begun ''

# A manifest whose file was replaced since: not scored under the old identity, and scored after the next listing.
"$FAKESIFT" scan videos -o old.csv >/dev/null
printf 'z' >>videos/real/017.mp4
run old.csv replaced || fail "a run of an old manifest"
[ "$(outcome replaced real/017.mp4)" = missing ] || fail "a replaced file is $(outcome replaced real/017.mp4)"
expect_text replaced/scores.csv 'changed since the corpus was listed'
run videos replaced || fail "the run after the next listing"
expect_begun 'real/017.mp4 '
same_as_fresh 3 replaced

# A byte of a record in the middle: named in the log and in run.json, its video done again.
segment=$(ls fresh3/journal/*.journal)
printf '\377' | dd of="$segment" bs=1 seek=700 conv=notrunc 2>/dev/null
run fresh3/manifest.csv fresh3 || fail "the run after damage"
grep -E "warning journal/$(basename "$segment"): byte [0-9]+: damaged, [0-9]+ bytes skipped" run.err ||
    { cat run.err; fail "the damage is not named"; }
[ "$(begun | wc -w)" -eq 1 ] || fail "done again: $(begun)"
cmp replaced/scores.csv fresh3/scores.csv || fail "other scores after damage"
python3 - "$(basename "$segment")" <<'END' || fail "run.json does not name the damage"
import json, sys
damages = json.load(open("fresh3/run.json"))["executions"][-1]["journal"]["damages"]
assert len(damages) == 1 and damages[0]["segment"] == sys.argv[1] and damages[0]["byte"] <= 700, damages
END

# Another detector: the field and both values.
expect_code 2 "$FAKESIFT" run videos --detector "${DETECTOR/tiny-gru/tiny-lstm}" -o grown
expect_text err 'began with detector = tiny-gru, now it is tiny-lstm'
