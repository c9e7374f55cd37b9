#!/bin/bash
# Random damage of real clips (tests/media/mutate.py): each ends with exactly one outcome within its deadline, no lane is
# killed by what it read, and no agent breaks.
# usage: mutations.sh FAKESIFT SOURCE_FOLDER MEDIA_FOLDER
# MUTATIONS (60) copies with seed MUTATION_SEED (1); with MUTATION_KEEP=FOLDER those that crash or hang a lane are kept there.
. "$(dirname "$0")/lib.sh"
media=$3
n=${MUTATIONS:-60}

clips=()
while read -r clip; do
    case $clip in
    *.times | *.rgb | *.png | *empty.* | *text.* | *playlist.* | *concat.* | */made) ;;
    *) clips+=("$clip") ;;
    esac
done < <(find "$media" -maxdepth 1 -type f | LC_ALL=C sort)
# Faces and codecs as they are met, where they are at hand.
while read -r clip; do clips+=("$clip"); done < <(find "$SOURCE/../shared/corpus/" -type f -name '*.mp4' -size -2000k 2>/dev/null |
    LC_ALL=C sort | awk 'NR % 8 == 1' | head -n 20)
[ ${#clips[@]} -ge 40 ] || fail "only ${#clips[@]} clips in $media"

/usr/bin/python3 -B "$SOURCE/tests/media/mutate.py" "$n" "${MUTATION_SEED:-1}" videos "${clips[@]}"
expect_code 0 "$FAKESIFT" run videos --detector "$DETECTOR" -o run --timeout 30 --retries 0 --lanes "$(nproc)"
expect_text out "$n of $n videos decided"
[ "$(($(wc -l < run/scores.csv) - 1))" -eq "$n" ] || fail "scores.csv has not one row a video"
[ "$(tail -n +2 run/scores.csv | cut -d, -f1 | sort -u | wc -l)" -eq "$n" ] || fail "a video has two rows"
grep -A 20 '^  scored' out || grep '^  ' out
echo "slowest: $(grep -A 1 '^slowest' out | tail -n 1)"
bad=$(sqlite3 run/results.sqlite "SELECT path || ' is ' || outcome || ': ' || message FROM video WHERE outcome IN ('crashed', 'timeout')")
if [ -n "$bad" ]; then
    if [ -n "${MUTATION_KEEP:-}" ]; then
        mkdir -p "$MUTATION_KEEP"
        sqlite3 run/results.sqlite "SELECT path FROM video WHERE outcome IN ('crashed', 'timeout')" |
            while read -r path; do cp "videos/$path" "$MUTATION_KEEP/"; done
        cp err "$MUTATION_KEEP/log"
    fi
    grep ' printed: ' err | head -n 60 || true
    fail "$bad"
fi
