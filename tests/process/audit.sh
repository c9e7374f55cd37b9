#!/bin/bash
# An audit of a corpus of copies: re-encoded, scaled, cropped, mirrored, brighter; unrelated clips match nothing; --fail-on.
. "$(dirname "$0")/lib.sh"

# make FILE SOURCE: four seconds of one of ffmpeg's pictures.
make() {
    ffmpeg -nostdin -v error -y -f lavfi -i "$2" -t 4 -c:v libx264 -preset ultrafast -crf 20 -pix_fmt yuv420p -threads 1 "$1"
}

# copy FROM TO FILTER [CRF]
copy() {
    ffmpeg -nostdin -v error -y -i "$1" -vf "$3" -c:v libx264 -preset ultrafast -crf "${4:-26}" -pix_fmt yuv420p -threads 1 "$2"
}

mkdir -p v
make v/a.mp4 'mandelbrot=size=320x240:rate=12:start_scale=0.05:end_scale=0.03:end_pts=60:start_x=-0.745:start_y=-0.12'
make v/b.mp4 'mandelbrot=size=320x240:rate=12:start_scale=1.2:end_scale=0.9:end_pts=60:start_x=-0.4:start_y=0.5'
make v/c.mp4 'testsrc2=size=320x240:rate=12'
make v/d.mp4 'testsrc=size=320x240:rate=12'
make v/e.mp4 'life=size=80x60:rate=12:seed=7:mold=20:life_color=white:mold_color=gray,scale=320:240'
cp v/a.mp4 v/copy.mp4
copy v/a.mp4 v/encoded.mp4 null 38
copy v/a.mp4 v/scaled.mp4 scale=160:120
copy v/a.mp4 v/cropped.mp4 'crop=iw*0.97:ih*0.97,scale=320:240'
copy v/a.mp4 v/brighter.mp4 'eq=brightness=0.1:contrast=0.9'
copy v/a.mp4 v/mirrored.mp4 hflip
copy v/c.mp4 v/frozen.mp4 'select=eq(n\,0),loop=47:1:0,setpts=N/12/TB'
copy v/c.mp4 v/dark.mp4 'colorlevels=romax=0.2:gomax=0.2:bomax=0.2'
ffmpeg -nostdin -v error -y -i v/d.mp4 -vf 'select=not(between(mod(n\,12)\,2\,5))' -vsync vfr -c:v libx264 \
    -preset ultrafast -threads 1 v/uneven.mp4
ffmpeg -nostdin -v error -y -f lavfi -i color=black:size=320x240:rate=12 -t 4 -c:v libx264 -preset ultrafast -threads 1 v/black.mp4
head -c 20000 v/b.mp4 > v/stump.mp4
cp v/d.mp4 v/unlisted.mp4
{
    echo path,label,split,original
    echo v/a.mp4,REAL,train,
    echo v/b.mp4,REAL,train,
    echo v/c.mp4,REAL,train,
    echo v/d.mp4,REAL,test,
    echo v/e.mp4,REAL,test,
    echo v/copy.mp4,FAKE,train,
    echo v/encoded.mp4,REAL,test,
    echo v/scaled.mp4,REAL,train,
    echo v/cropped.mp4,REAL,train,
    echo v/brighter.mp4,FAKE,train,v/a.mp4
    echo v/mirrored.mp4,REAL,train,
    echo v/frozen.mp4,REAL,train,
    echo v/dark.mp4,REAL,train,
    echo v/uneven.mp4,REAL,test,
    echo v/black.mp4,REAL,train,
    echo v/stump.mp4,FAKE,train,v/nobody.mp4
} > list.csv

expect_code 0 "$FAKESIFT" run list.csv --detector "$DETECTOR" -o run
cp run/scores.csv before.csv
expect_code 0 "$FAKESIFT" audit run --csv found.csv --json found.json --limit 100
cmp run/scores.csv before.csv || fail "an audit changed scores.csv"

# has FINDING PATH [OTHER]: in either order.
has() {
    awk -F, -v f="$1" -v a="v/$2" -v b="${3:+v/$3}" \
        '$2 == f && (($3 == a && (b == "" || $4 == b)) || ($4 == a && $3 == b)) { n++ } END { exit !n }' found.csv
}
expect_found() { has "$@" || { cat found.csv; fail "not found: $*"; }; }
expect_none() { if has "$@"; then cat found.csv; fail "found: $*"; fi; }

expect_found duplicate a.mp4 copy.mp4
expect_found label-conflict a.mp4 copy.mp4
expect_found leak a.mp4 encoded.mp4
for f in encoded scaled cropped; do expect_found near-duplicate a.mp4 $f.mp4; done
expect_none near-duplicate a.mp4 brighter.mp4 # its original is stated
expect_none near-duplicate a.mp4 mirrored.mp4 # not without --mirrored
for f in b c d e; do expect_none near-duplicate a.mp4 $f.mp4; done
for f in c d e; do expect_none near-duplicate b.mp4 $f.mp4; done
expect_none near-duplicate d.mp4 e.mp4
expect_found frozen frozen.mp4
expect_found black black.mp4
expect_found dark dark.mp4
expect_found variable-rate uneven.mp4
expect_found orphan stump.mp4
expect_found corrupt stump.mp4
grep -q '^note,extra,v/unlisted.mp4,' found.csv || fail "the unlisted file was not found"
[ "$(grep -c ',variable-rate,' found.csv)" -eq 1 ] || fail "constant rates are called variable"
[ "$(grep -c ',frozen,' found.csv)" -eq 1 ] || fail "what moves is called frozen: $(grep ,frozen, found.csv)"
grep -q '"audit_leak"' run/report.json || fail "the report does not take the audit up"

# A command of a finding shows it.
sh -c "$(awk -F, '$2 == "duplicate" { print $NF }' found.csv)" || fail "the command of a duplicate fails"

expect_code 0 "$FAKESIFT" audit run --csv found.csv --mirrored --no-report
expect_found near-duplicate a.mp4 mirrored.mp4

expect_code 3 "$FAKESIFT" audit run --fail-on leak,duplicate
expect_text err '--fail-on: found'
expect_text err '1 duplicate'
expect_code 3 "$FAKESIFT" audit run --fail-on critical
expect_code 0 "$FAKESIFT" audit run --fail-on several-faces
expect_code 1 "$FAKESIFT" audit run --fail-on leak,nonsense
expect_text err "no finding is called 'nonsense'"
expect_text err 'near-duplicate'
expect_code 2 "$FAKESIFT" audit nowhere
expect_code 1 "$FAKESIFT" audit

# The corpus is gone: what needs its files is not claimed.
mv v w
expect_code 0 "$FAKESIFT" audit run
expect_text out 'were not read'

# Sound that begins with silence: fakes of one tool have 0.2 s and more of it, reals none.
mkdir -p silence/real silence/fake
for i in 0 1 2 3 4 5 6 7 8 9; do
    for label in real fake; do
        delay=anull
        [ $label = real ] || delay="adelay=$((200 + i * 10)):all=1"
        ffmpeg -nostdin -v error -y -f lavfi -i "testsrc2=size=64x64:rate=25:duration=1" -f lavfi \
            -i "sine=frequency=44$i:duration=1" -vf "hue=H=$i/3" -af "$delay" -c:v libx264 -preset ultrafast -pix_fmt yuv420p \
            -threads 1 -c:a aac -shortest silence/$label/$i.mp4
    done
done
expect_code 0 "$FAKESIFT" run silence --detector "$DETECTOR" -o silent
expect_code 0 "$FAKESIFT" audit silent
expect_text out 'leading silence      1.000'
