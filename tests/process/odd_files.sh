#!/bin/bash
# Odd and broken files, some 230: each ends with the outcome that the table of tests/media/make_odd.py states, whatever its
# name holds, and the report's files say the same; also where the sanitizers watch.
. "$(dirname "$0")/lib.sh"

ff() { ffmpeg -nostdin -v error -y "$@"; }
picture() { echo "testsrc2=size=${1:-128x96}:rate=25:duration=${2:-1}"; }
x264=(-c:v libx264 -preset ultrafast -pix_fmt yuv420p -threads 1)

/usr/bin/python3 -B "$SOURCE/tests/media/make_odd.py" odd
mv odd/videos odd/expected .
mkdir elsewhere
n_files=$(($(tr -cd '\0' < expected | wc -c) / 3))

# Alone, and with two ranks: the same bytes.
expect_code 0 timeout 250 "$FAKESIFT" run videos --detector "$DETECTOR" -o run
expect_text err '1 other file left out, such as no_extension, 1 hidden video left out, 1 linked folder not followed again'
expect_text out "$n_files of $n_files videos decided"
expect_code 0 mpi -n 2 timeout 250 "$FAKESIFT" run videos --detector "$DETECTOR" -o run2
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

/usr/bin/python3 - <<'PYTHON'
import collections, csv, io, json, re, sqlite3, sys

fields = open("expected", "rb").read().split(b"\0")[:-1]
expected = dict(zip(fields[::3], [o.decode().split("|") for o in fields[1::3]]))
how = dict(zip(fields[::3], [h.decode() for h in fields[2::3]]))
failures = []

def same(what, got, want):
    if got != want:
        failures.append(f"{what}: {got!r}, not {want!r}")

text = open("run/scores.csv", "rb").read().decode("utf-8", "surrogateescape")
rows = list(csv.DictReader(io.StringIO(text, newline="")))
paths = [row["path"].encode("utf-8", "surrogateescape").removeprefix(b"'") for row in rows]
same("rows", len(rows), len(expected))
for path, row in zip(paths, rows):
    if row["outcome"] not in expected.get(path, []):
        failures.append(f"{path} ({how.get(path)}): {row['outcome']} ({row['message']}), not {expected.get(path)}")
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
for name, turns in ((b"rotated90.mp4", ("90", "270")), (b"rotated180.mp4", ("180",)), (b"rotated270.mp4", ("90", "270"))):
    same(f"{name}'s rotation", by_path[name]["rotation_deg"] in turns, True)
same("frames a second", good["fps"], "25")
same("8K", (by_path[b"eight_k.mp4"]["width_px"], by_path[b"eight_k.mp4"]["height_px"]), ("7680", "4320"))
same("4K", (by_path[b"wide.mp4"]["width_px"], by_path[b"wide.mp4"]["height_px"]), ("3840", "2160"))

outcomes = json.load(open("run/report.json", encoding="utf-8"))["results"]["outcomes"]
same("report.json's total", outcomes.pop("total"), len(rows))
for outcome, n in outcomes.items():
    same(f"report.json's {outcome}", n, counts.get(outcome, 0))

db = sqlite3.connect("run/results.sqlite")
db.text_factory = bytes
same("results.sqlite", {path: outcome.decode() for path, outcome in db.execute("SELECT path, outcome FROM video")},
     {path: row["outcome"] for path, row in by_path.items()})

page = open("run/report.html", "rb").read().decode("utf-8")
# A name's < is escaped as text and as data; a bare > harms nobody.
for tag in re.findall(r"<img[^>]*>", page):
    failures.append(f"report.html holds {tag}")
print("\n".join(failures))
sys.exit(1 if failures else 0)
PYTHON

# What root may read, others may not.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    mkdir -m 777 given
    mkdir shut_out
    cp videos/good.mp4 shut_out/good.mp4
    cp videos/good.mp4 shut_out/unreadable.mp4
    chmod 0 shut_out/unreadable.mp4
    chmod 755 "$WORK"
    user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    if "${user[@]}" test -r "$DETECTOR" && "${user[@]}" test -x "$FAKESIFT" && "${user[@]}" test -r shut_out/good.mp4; then
        expect_code 0 "${user[@]}" "$FAKESIFT" run shut_out --detector "$DETECTOR" -o given/run
        [ "$(outcome given/run unreadable.mp4)" = missing ] || fail "a file without permission is $(outcome given/run unreadable.mp4)"
        [ "$(outcome given/run good.mp4)" = scored ] || fail "as a user a good file is $(outcome given/run good.mp4)"
    fi
fi
