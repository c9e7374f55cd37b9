#!/bin/bash
# Instructions of one fixed clip through decode, face search, crops and networks, counted by callgrind beside what
# tests/data/instructions.txt keeps: more than 3 % above it fails, in our own functions and in all. Valgrind shows every program
# the same processor (AVX2, without AVX-512), which pins what OpenBLAS, oneDNN and libav choose. Other versions of the tools and
# libraries count otherwise: then this is skipped, and says which differs.
# FAKESIFT_INSTRUCTIONS=FILE: writes the figures to FILE instead, for a change that is worth its price or a new Debian.
# usage: instructions.sh FAKESIFT SOURCE_FOLDER SCORE_FILE
. "$(dirname "$0")/lib.sh"
PROGRAM=$3
BASELINE=$SOURCE/tests/data/instructions.txt
command -v valgrind >/dev/null || skip "valgrind is absent"
! ldd "$PROGRAM" | grep -qE 'libasan|libubsan' || skip "a sanitized program"
grep -qw avx2 /proc/cpuinfo || skip "a processor without AVX2"

version() { dpkg-query -W -f='${Version}' "$1" 2>/dev/null || echo absent; }
{
    for package in valgrind gcc-12 libc6 libavcodec59 libswscale6 libopenblas0-serial libdnnl2 libx264-164; do
        echo "version $package $(version $package)"
    done
} >versions
# A bright square of 80 pixels that crosses a dark ground (tests/golden/make_square_finder.py), H.264 with B frames.
ffmpeg -nostdin -v error -f lavfi -i 'color=c=0x202020:s=320x240:r=25:d=3,noise=alls=4:allf=t:all_seed=3' \
    -f lavfi -i 'color=c=0xf0f0f0:s=80x80:r=25:d=3' -filter_complex "[0:v][1:v]overlay=x='20+60*t':y=64,format=yuv420p" \
    -c:v libx264 -preset fast -g 24 -threads 1 -fflags +bitexact -flags:v +bitexact clip.mp4
echo "clip $(sha256sum <clip.mp4 | cut -d ' ' -f 1)" >>versions

if [ -z "${FAKESIFT_INSTRUCTIONS:-}" ]; then
    grep -vE '^(#|count)' "$BASELINE" | diff - versions >differ || skip "other versions than the baseline's: $(grep '^[<>]' differ | tr '\n' ' ')"
fi

mkdir -p cache faces
cp -r "$SOURCE/tests/data/detectors/square" cache/
cp "$(dirname "$DETECTOR")"/*.onnx faces/
/usr/bin/python3 - "$DETECTOR" >faces/card.json <<'PYTHON'
import json, sys
card = json.load(open(sys.argv[1]))
card.update(name="square-faces", input="faces", face={"detector": "square", "threshold": .9}, sampling={
    "mode": "uniform", "clips": 2, "frames": 8, "min_frames": 4, "stride_s": .12})
card["crop"].update(margin=1.3, square=True, alignment="box")
json.dump(card, sys.stdout)
PYTHON
export FAKESIFT_CACHE=$WORK/cache
"$PROGRAM" faces/card.json clip.mp4 >plain || fail "score_file"
# The square has moved on between the two clips.
grep -qE '^scored 2 tracks ' plain || fail "not a face in each clip: $(cat plain)"

valgrind --tool=callgrind --callgrind-out-file=counts --collect-atstart=no --toggle-collect=counted_run \
    "$PROGRAM" faces/card.json clip.mp4 >counted 2>valgrind.log || { cat valgrind.log; fail "valgrind"; }
# A body line is "LINE COST"; one behind calls= is what the callee took. ob= names the object that the lines are of.
awk -v ours="$(basename "$PROGRAM")" '
    /^ob=/ {
        # "(3) /path" names object 3, "(3)" alone means it.
        id = $0; sub(/^ob=/, "", id); name = id; sub(/ .*/, "", id)
        if (sub(/^[^ ]* /, "", name)) names[id] = name
        own = names[id] ~ ("/" ours "$")
        next
    }
    /^c?ob=|^cfi=|^cfn=|^cfl=/ {
        if (/^cob=/) { id = $0; sub(/^cob=/, "", id); name = id; sub(/ .*/, "", id); if (sub(/^[^ ]* /, "", name)) names[id] = name }
        next
    }
    /^calls=/ { skip = 1; next }
    /^[0-9+*-]/ { if (skip) skip = 0; else { all += $2; if (own) mine += $2 } }
    END { printf "count own %d\ncount all %d\n", mine, all }' counts >now
if [ -n "${FAKESIFT_INSTRUCTIONS:-}" ]; then
    {
        echo '# Instructions of one clip (tests/process/instructions.sh): own functions, all; and what they hold for.'
        cat versions now
    } >"$FAKESIFT_INSTRUCTIONS"
    cat now
    exit 0
fi
worse=0
while read -r _ what count; do
    base=$(awk -v w="$what" '$1 == "count" && $2 == w { print $3 }' "$BASELINE")
    if [ "$count" -le 0 ] || [ "${base:-0}" -le 0 ]; then fail "no count of $what"; fi
    awk -v w="$what" -v n="$count" -v b="$base" 'BEGIN { printf "%s: %d instructions, %+.2f %% of %d\n", w, n, 100 * (n / b - 1), b }'
    # 3 %, in whole numbers.
    [ $((100 * count)) -le $((103 * base)) ] || worse=1
    [ $((100 * count)) -ge $((97 * base)) ] || echo "NOTE: 3 % fewer: keep that by FAKESIFT_INSTRUCTIONS=$BASELINE"
done <now
[ $worse = 0 ] || fail "more than 3 % above tests/data/instructions.txt"
