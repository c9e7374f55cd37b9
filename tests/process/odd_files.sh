#!/bin/bash
# Odd files, good and bad: each ends with the one outcome that is written here, whatever its name holds, and the report's
# files say the same. Damage is made with plain bytes, so nothing here depends on chance.
. "$(dirname "$0")/lib.sh"
mkdir videos elsewhere
cd videos || exit 1

ff() { ffmpeg -nostdin -v error -y "$@"; }
picture() { echo "testsrc2=size=${1:-128x96}:rate=25:duration=${2:-1}"; }
x264=(-c:v libx264 -preset ultrafast -pix_fmt yuv420p -threads 1)

# expect OUTCOME NAME...: what becomes of these files. NAME is printf's, so that it may hold any byte.
declare -A expected
expect() {
    local outcome=$1 name

    shift
    for format in "$@"; do
        # shellcheck disable=SC2059 # the name is a format on purpose
        printf -v name "$format"
        expected[$name]=$outcome
    done
}

# --- good ones, of odd kinds
ff -f lavfi -i "$(picture)" "${x264[@]}" good.mp4
ff -i good.mp4 -c copy -movflags +faststart fast.mp4
ff -i good.mp4 -c copy -metadata:s:v:0 rotate=90 rotated.mp4
ff -f lavfi -i "$(picture)" -vf "setpts='if(lt(N,12),N*0.02,0.24+(N-12)*0.2)/TB'" -vsync vfr "${x264[@]}" vfr.mp4
ff -f lavfi -i "$(picture)" -c:v libx264 -preset ultrafast -pix_fmt yuv420p10le tenbit.mp4
ff -f lavfi -i "$(picture 127x95)" -c:v libx264 -preset ultrafast -pix_fmt yuv444p odd_sides.mkv
ff -f lavfi -i "color=red:size=2x2:rate=25:duration=1" "${x264[@]}" two_by_two.mp4
ff -f lavfi -i "$(picture 3840x2160 0.4)" "${x264[@]}" wide.mp4
ff -f lavfi -i "$(picture)" -c:v gif moving.gif
ff -f lavfi -i "$(picture)" -c:v libvpx-vp9 -deadline realtime -cpu-used 8 vp9.webm
ff -f lavfi -i "$(picture)" -c:v mpeg2video program.mpg
ff -i good.mp4 -c copy raw.h264
cp good.mp4 UPPER.MP4
mkdir inside.mp4 && cp good.mp4 inside.mp4/deep.mp4
expect scored good.mp4 fast.mp4 rotated.mp4 vfr.mp4 tenbit.mp4 odd_sides.mkv two_by_two.mp4 wide.mp4 moving.gif vp9.webm \
    program.mpg raw.h264 UPPER.MP4 inside.mp4/deep.mp4

# --- too little
ff -f lavfi -i "$(picture)" -frames:v 1 "${x264[@]}" one_frame.mp4
ff -f lavfi -i "$(picture)" -frames:v 3 "${x264[@]}" three_frames.mp4
expect too_short one_frame.mp4 three_frames.mp4
ff -i good.mp4 -c copy -t 0 no_frame.mp4
ff -f lavfi -i sine=duration=1 -c:a aac sound.mp4
ff -f lavfi -i "$(picture)" -frames:v 1 ../elsewhere/cover.jpg
ff -i sound.mp4 -i ../elsewhere/cover.jpg -map 0 -map 1 -c copy -disposition:v:0 attached_pic cover.mp4
expect no_video no_frame.mp4 sound.mp4 cover.mp4
printf 'YUV4MPEG2 W64 H64 F25:1\n' > header.y4m
expect decode_error header.y4m

# --- cut, at the front of its index or behind it
size=$(stat -c %s good.mp4)
for percent in 10 50 90; do
    head -c $((size * percent / 100)) good.mp4 > tail_cut_$percent.mp4
    expect decode_error tail_cut_$percent.mp4
done
size=$(stat -c %s fast.mp4)
for percent in 5 30; do
    head -c $((size * percent / 100)) fast.mp4 > front_cut_$percent.mp4
    expect decode_error front_cut_$percent.mp4
done
for percent in 60 90; do
    head -c $((size * percent / 100)) fast.mp4 > front_cut_$percent.mp4
    expect partial_decode front_cut_$percent.mp4
done

# --- damaged, and lying about their sizes
# overwrite FILE TEXT OFFSET BYTES: BYTES (printf's) at OFFSET from the first TEXT in the file.
overwrite() {
    local at

    at=$(LC_ALL=C grep -obaF -- "$2" "$1" | head -1 | cut -d: -f1)
    # shellcheck disable=SC2059 # bytes
    printf "$4" | dd of="$1" bs=1 seek=$((at + $3)) conv=notrunc status=none
}
cp fast.mp4 huge_samples.mp4 && overwrite huge_samples.mp4 stsz 12 '\xff\xff\xff\xff'
expect decode_error huge_samples.mp4
cp fast.mp4 huge_data.mp4 && overwrite huge_data.mp4 mdat -4 '\xff\xff\xff\xff'
cp fast.mp4 huge_picture.mp4 && overwrite huge_picture.mp4 avc1 28 '\xff\xff\xff\xff'
expect scored huge_data.mp4 huge_picture.mp4
printf 'GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;' > huge.gif
expect unsupported huge.gif
printf 'YUV4MPEG2 W2000000000 H2000000000 F25:1\nFRAME\n0000' > huge.y4m
expect decode_error huge.y4m
cp fast.mp4 flipped.mp4
for at in 3000 5000 9000 13000 17000; do overwrite flipped.mp4 mdat $at '\x5a\xa5\x5a'; done
expect scored flipped.mp4

# --- not media at all; lists of other files are not followed
echo 'a text' > text.mp4
: > empty.mp4
head -c 100000 /dev/zero > zeros.mp4
truncate -s 1T sparse.mp4
printf '#EXTM3U\n#EXTINF:1,\ngood.mp4\n' > playlist.mp4
printf 'ffconcat version 1.0\nfile good.mp4\n' > concat.mp4
expect no_video text.mp4 empty.mp4 zeros.mp4 sparse.mp4 playlist.mp4 concat.mp4

# --- not regular files, and links
mkdir folder.mp4
mkfifo fifo.mp4
ln -s good.mp4 link.mp4
ln -s nowhere dangling.mp4
ln -s loop_b.mp4 loop_a.mp4
ln -s loop_a.mp4 loop_b.mp4
ln -s . itself
ln -s /dev/zero device.mp4
ln -s /proc/self/mem memory.mp4
expect scored link.mp4
expect no_video fifo.mp4 device.mp4 memory.mp4
expect missing dangling.mp4 loop_a.mp4 loop_b.mp4
cp good.mp4 unreadable.mp4
chmod 0 unreadable.mp4
if [ -r unreadable.mp4 ]; then expect scored unreadable.mp4; else expect missing unreadable.mp4; fi

# --- names
names=('new\nline.mp4' 'quo\x22te, '"'"'s.mp4' '<img src=x onerror=alert(1)>.mp4' '&lt;b&gt;&amp;.mp4' 'latin\xe9\xff.mp4'
    '\x2do.mp4' '=1+1.mp4' '+1.mp4' '@x.mp4' ' blank .mp4' 'tab\tcr\r.mp4' 'escape\x1b[31m.mp4' 'back\\slash.mp4'
    'right\xe2\x80\xaeleft.mp4' "$(printf 'a%.0s' {1..251}).mp4" '%%s%%n.mp4' "'"'apostrophe.mp4')
for format in "${names[@]}"; do
    # shellcheck disable=SC2059 # as above
    printf -v name "$format"
    cp good.mp4 "./$name"
    expect scored "$format"
done
cp good.mp4 .hidden.mp4
cp good.mp4 no_extension
cd "$WORK"

# Alone, and with two ranks: the same bytes.
expect_code 0 timeout 120 "$FAKESIFT" run videos --detector "$DETECTOR" -o run
expect_text err '1 other file left out, such as no_extension, 1 hidden video left out, 1 linked folder not followed again'
expect_text out "${#expected[@]} of ${#expected[@]} videos decided"
expect_code 0 mpi -n 2 timeout 120 "$FAKESIFT" run videos --detector "$DETECTOR" -o run2
cmp run/scores.csv run2/scores.csv || fail "two ranks give other scores"

# With a stride a clip may be longer than the video: what lies past its end is not lost.
cp -r "$SOURCE/tests/data/detectors/tiny-gru" stride
sed -i 's/"frames": 8,/"frames": 8, "stride_s": 0.1,/' stride/card.json
mkdir short
ff -f lavfi -i "$(picture 128x96 0.5)" "${x264[@]}" short/whole.mp4
ff -i short/whole.mp4 -c copy -movflags +faststart elsewhere/fast.mp4
head -c $(($(stat -c %s elsewhere/fast.mp4) * 8 / 10)) elsewhere/fast.mp4 > short/cut.mp4
expect_code 0 "$FAKESIFT" run short --detector stride/card.json -o run-short
grep -E '^whole.mp4,,,,scored,[0-9.]+,,,,,5,5,' run-short/scores.csv || fail "a whole short video: $(cat run-short/scores.csv)"
[ "$(outcome run-short cut.mp4)" = partial_decode ] || fail "a cut short video is $(outcome run-short cut.mp4)"

for name in "${!expected[@]}"; do printf '%s\0%s\0' "$name" "${expected[$name]}"; done > expected
/usr/bin/python3 - <<'PYTHON'
import collections, csv, io, json, re, sqlite3, sys

fields = open("expected", "rb").read().split(b"\0")[:-1]
expected = dict(zip(fields[::2], [o.decode() for o in fields[1::2]]))
failures = []

def same(what, got, want):
    if got != want:
        failures.append(f"{what}: {got!r}, not {want!r}")

text = open("run/scores.csv", "rb").read().decode("utf-8", "surrogateescape")
rows = list(csv.DictReader(io.StringIO(text, newline="")))
paths = [row["path"].encode("utf-8", "surrogateescape").removeprefix(b"'") for row in rows]
same("rows", len(rows), len(expected))
for path, row in zip(paths, rows):
    same(f"{path} in scores.csv", row["outcome"], expected.get(path, "no such file"))
    same(f"{path} has a score", row["p_fake"] != "", row["outcome"] in ("scored", "partial_decode"))
    if row["outcome"] not in ("scored",) and row["message"] == "":
        failures.append(f"{path}: {row['outcome']} and no message")
    # The cell is no formula.
    if row["path"][0] in "=+-@\t\r":
        failures.append(f"{path}: a spreadsheet would run the cell")
counts = collections.Counter(row["outcome"] for row in rows)
by_path = dict(zip(paths, rows))
good = by_path[b"good.mp4"]
for path in [b"link.mp4", b"inside.mp4/deep.mp4", b"fast.mp4", b"-o.mp4", b"new\nline.mp4"]:
    same(f"{path}'s score", by_path[path]["p_fake"], good["p_fake"])
same("rotation", (by_path[b"rotated.mp4"]["rotation_deg"] in ("90", "270")), True)
same("frames a second", good["fps"], "25")
same("4K", (by_path[b"wide.mp4"]["width_px"], by_path[b"wide.mp4"]["height_px"]), ("3840", "2160"))

outcomes = json.load(open("run/report.json", encoding="utf-8"))["results"]["outcomes"]
same("report.json's total", outcomes.pop("total"), len(rows))
for outcome, n in outcomes.items():
    same(f"report.json's {outcome}", n, counts.get(outcome, 0))

db = sqlite3.connect("run/results.sqlite")
db.text_factory = bytes
same("results.sqlite", {path: outcome.decode() for path, outcome in db.execute("SELECT path, outcome FROM video")}, expected)

page = open("run/report.html", "rb").read().decode("utf-8")
# A name's < is escaped as text and as data; a bare > harms nobody.
for tag in re.findall(r"<img[^>]*>", page):
    failures.append(f"report.html holds {tag}")
print("\n".join(failures))
sys.exit(1 if failures else 0)
PYTHON
