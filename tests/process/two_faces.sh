#!/bin/bash
# A video with two faces gives two tracks, each with its clip scores, whichever face detector finds them, also where faces are
# searched in every third frame only, and cut into parts or not. Skipped without the corpus, the mirror and the ffmpeg program.
. "$(dirname "$0")/lib.sh"
smoke=$SOURCE/../shared/corpus/smoke/real
export FAKESIFT_ZOO_MIRROR=$SOURCE/../shared/zoo FAKESIFT_CACHE=$WORK/cache
[ -d "$smoke" ] || skip "no corpus at $smoke"
[ -d "$FAKESIFT_ZOO_MIRROR" ] || skip "no mirror at $FAKESIFT_ZOO_MIRROR"
for m in meso4-df yunet ultraface mtcnn blazeface; do
    "$FAKESIFT" models fetch $m >fetch.log 2>&1 || [ $m = mtcnn ] || [ $m = blazeface ] || skip "models fetch $m: $(tail -1 fetch.log)"
done
mkdir -p videos/real
fit='scale=480:480:force_original_aspect_ratio=increase,crop=480:480,fps=25,setsar=1'
ffmpeg -nostdin -v error -i "$smoke/liveportrait_driving_d0.mp4" -i "$smoke/liveportrait_driving_d10.mp4" -filter_complex \
    "[0:v]${fit}[a];[1:v]${fit}[b];[a][b]hstack=inputs=2:shortest=1" -t 3 -an -c:v libx264 -preset ultrafast -threads 1 videos/real/two.mp4

# card FOLDER FINDER THRESHOLD EVERY: Meso4 over three clips, found by FINDER.
card() {
    mkdir -p "$1"
    cp cache/meso4-df/frame.onnx "$1/"
    /usr/bin/python3 - "$@" <<'END'
import json, sys
folder, finder, threshold, every = sys.argv[1:]
card = json.load(open("cache/meso4-df/card.json"))
card["name"] = folder
card["sampling"].update(clips=3, stride_s=0.08)
card["face"].update(detector=finder, threshold=float(threshold))
if every != "1":
    card["face"].update(detect_every=int(every), follow="motion", smooth=0.3, hold_frames=6)
json.dump(card, open(folder + "/card.json", "w"))
card["crop"]["alignment"] = "similarity"
json.dump(card, open(folder + "/aligned.json", "w"))
END
}
# expect_two RUN: n_tracks 2, and each of three clips has a score of each track.
expect_two() {
    local got
    got=$(sqlite3 "$1/results.sqlite" 'SELECT track, clip FROM clip ORDER BY track, clip' | tr '\n' ' ')
    [ "$got" = '0|0 0|1 0|2 1|0 1|1 1|2 ' ] || { cat "$1/scores.csv"; fail "$1: the clip scores are of: $got"; }
}
for finder in yunet:0.8 ultraface:0.8 mtcnn:0.9 blazeface:0.6; do
    name=${finder%%:*}
    [ -d "cache/$name" ] || continue
    for every in 1 3; do
        card "$name-$every" "$name" "${finder#*:}" $every
        expect_code 0 "$FAKESIFT" run videos --layout dir --detector "$name-$every/card.json" -o "run-$name-$every" --lanes 1
        expect_two "run-$name-$every"
        expect_code 0 "$FAKESIFT" run videos --layout dir --detector "$name-$every/card.json" -o "cut-$name-$every" --segment 0.00001
        expect_text err 'are cut into'
        cmp "run-$name-$every/scores.csv" "cut-$name-$every/scores.csv" || fail "$name, every $every: parts give other scores"
    done
done

# Crops of both, in an index by track; alignment needs landmarks.
expect_code 0 "$FAKESIFT" run videos --layout dir --detector yunet-3/card.json -o saved --save-crops=1
cmp saved/scores.csv run-yunet-3/scores.csv || fail "saving changes scores"
[ "$(cut -d, -f2,3 saved/crops/crops.csv | tail -n +2 | tr '\n' ' ')" = '0,0 0,1 0,2 1,0 1,1 1,2 ' ] || fail "crops of other tracks"
expect_code 2 "$FAKESIFT" run videos --layout dir --detector ultraface-1/aligned.json -o aligned
expect_text err 'needs five landmarks, which ultraface does not give'
