#!/bin/bash
# Videos in tars and zips, read in place: the same clips as plain files and in archives give the same rows of scores.csv but
# for the path, whatever wrote the archive, for one process and for ranks, whole and in parts, and after kill -9. What an
# archive loses afterwards ends as missing.
. "$(dirname "$0")/lib.sh"
corpus videos 6 3 320x240
rm videos/real/fifo.mp4
# Containers that look for their index at the end, or have none; sound alone; a name of 150 bytes, and one that is not UTF-8.
ffmpeg -nostdin -v error -i videos/real/2.mp4 -c copy videos/real/tail_moov.mp4
ffmpeg -nostdin -v error -i videos/real/2.mp4 -c copy videos/real/2.mkv
ffmpeg -nostdin -v error -i videos/real/4.mp4 -c copy -f mpegts videos/real/4.ts
ffmpeg -nostdin -v error -i videos/real/4.mp4 -c:v mpeg4 videos/fake/4.avi
ffmpeg -nostdin -v error -f lavfi -i sine=duration=1 videos/fake/sound.mp4
head -c 30000 videos/fake/blend/1.mp4 >videos/fake/blend/cut.mp4
cp videos/real/6.mp4 "videos/real/$(printf 'n%.0s' {1..150}).mp4"
cp videos/real/6.mp4 $'videos/real/odd \xff,"name\n.mp4'

# in_shards FORMAT FOLDER: every folder's files in one archive of that kind beside where they would lie.
in_shards() {
    local folder names

    for folder in real fake fake/blend; do
        mkdir -p "$2/$folder"
        mapfile -d '' names < <(cd "videos/$folder" && find . -maxdepth 1 -type f -printf '%P\0' | sort -rz)
        case $1 in
        zip) (cd "videos/$folder" && /usr/bin/python3 - "$OLDPWD/$2/$folder/0.zip" "${names[@]}" <<'END'
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_STORED) as z:
    for name in sys.argv[2:]:
        # zipfile wants text; the one name that is none is given another.
        z.write(name, os.fsencode(name).decode('latin-1'))
END
        ) ;;
        python) (cd "videos/$folder" && /usr/bin/python3 -c 'import sys, tarfile
with tarfile.open(sys.argv[1], "w", format=tarfile.PAX_FORMAT) as t:
    for name in sys.argv[2:]: t.add(name)' "$OLDPWD/$2/$folder/0.tar" "${names[@]}") ;;
        *) tar -C "videos/$folder" "--format=$1" -cf "$2/$folder/0.tar" -- "${names[@]}" ;;
        esac
    done
}

# rows RUN: scores.csv as one line a row, without the archives' own names, in the order of paths.
rows() {
    /usr/bin/python3 - "$1/scores.csv" <<'END'
import csv, sys
with open(sys.argv[1], newline='', encoding='utf-8', errors='surrogateescape') as f:
    for row in sorted([r[0].replace('/0.tar/', '/').replace('/0.zip/', '/')] + r[1:] for r in csv.reader(f)):
        print(repr(row))
END
}
run() { "$FAKESIFT" run --detector "$DETECTOR" "$@"; }
same() { [ "$(rows plain)" = "$(rows "$1")" ] || { diff <(rows plain) <(rows "$1"); fail "$1 has other scores"; }; }

expect_code 0 run videos -o plain
[ "$(rows plain | wc -l)" -eq 18 ] || fail "not 17 videos"
for format in gnu pax python; do
    in_shards $format $format
    expect_code 0 run $format -o run-$format
    expect_text err '3 archives looked into'
    same run-$format
done
# What ustar and zipfile cannot name.
rm $'videos/real/odd \xff,"name\n.mp4'
rm videos/real/nnn*
in_shards zip zip
in_shards ustar ustar
expect_code 0 run videos -o plain
for format in zip ustar; do
    expect_code 0 run $format -o run-$format --lanes 2
    same run-$format
done
expect_code 0 mpi -n 2 "$FAKESIFT" run ustar --detector "$DETECTOR" -o run-ranks
same run-ranks
expect_code 0 run ustar -o run-parts --segment 0.00001
expect_text err 'cut into'
same run-parts

# A manifest says where each video lies, and what it holds is the video: so say its hash and the bytes themselves.
expect_code 0 "$FAKESIFT" scan ustar -o m.csv --hash --probe
expect_code 0 "$FAKESIFT" scan videos -o plain.csv --hash --probe
/usr/bin/python3 - m.csv plain.csv ustar videos <<'END' || fail "the manifests differ"
import csv, sys
def read(path):
    with open(path, newline='') as f:
        f.readline(), f.readline(), f.readline()
        return list(csv.DictReader(f))
shards, plain = read(sys.argv[1]), {row['path']: row for row in read(sys.argv[2])}
assert len(shards) == len(plain)
for row in shards:
    name = row['path'].replace('/0.tar/', '/')
    other = plain[name]
    assert row['path'].startswith(row['archive'] + '/')
    for key in row.keys() - {'path', 'archive', 'offset_bytes', 'mtime_ns'}:
        assert row[key] == other[key], (name, key, row[key], other[key])
    with open(f'{sys.argv[3]}/{row["archive"]}', 'rb') as f:
        f.seek(int(row['offset_bytes']))
        assert f.read(int(row['size_bytes'])) == open(f'{sys.argv[4]}/{name}', 'rb').read(), name
END
expect_code 0 mpi -n 2 "$FAKESIFT" scan ustar -o m2.csv --hash --probe
cmp m.csv m2.csv || fail "two ranks list other facts"
expect_code 0 run m.csv -o run-listed
same run-listed

# Killed in its middle, and again: nothing is done twice, nothing is lost. A shard that was written anew is scored anew.
"$FAKESIFT" run ustar --detector "$DETECTOR" -o killed --lanes 1 --flush 1 >killed.out 2>killed.err &
PIDS=$!
journalled() { [ -n "$(find killed/journal -type f -size +2k 2>/dev/null)" ]; }
wait_for 60 journalled
kill -9 $PIDS
wait $PIDS || true
PIDS=
expect_code 0 run ustar -o killed
same killed
expect_code 0 run ustar -o killed
expect_text err '15 of 15 videos are decided'
tar -C videos/fake/blend --format=ustar -cf ustar/fake/blend/0.tar -- 1.mp4 3.mp4 5.mp4 cut.mp4
expect_code 0 run ustar -o killed
expect_text err '11 of 15 videos are decided'
same killed

# What is gone, cut or changed since the listing is missing, with why, and costs nothing else its outcome.
expect_code 0 "$FAKESIFT" scan ustar -o before.csv
rm ustar/fake/0.tar
truncate -s -20000 ustar/real/0.tar
tar -C videos/fake/blend --format=ustar -cf ustar/fake/blend/0.tar -- 5.mp4 3.mp4 1.mp4 cut.mp4
expect_code 0 run before.csv -o after
[ "$(outcome after fake/0.tar/4.avi)" = missing ] || fail "of an archive that is gone"
[ "$(outcome after fake/blend/0.tar/1.mp4)" = missing ] || fail "of an archive that changed"
grep -q '^fake/blend/0.tar/1.mp4,.*its archive changed since the corpus was listed' after/scores.csv || fail "changed: no word"
grep -q ',missing,.*its archive shrank to' after/scores.csv || fail "shrank: no word"
grep -q ',missing,.*cannot open: No such file' after/scores.csv || fail "gone: no word"
expect_code 0 "$FAKESIFT" scan ustar -o cut.csv
expect_text out '1 damaged archive, such as real/0.tar: ends inside'
expect_text out '1 missing'

# A million members would not fit a list in memory: the reader holds one.
/usr/bin/python3 - <<'END'
import tarfile, io
with tarfile.open('many.tar', 'w', format=tarfile.USTAR_FORMAT) as t:
    for i in range(20000):
        for end, data in (('.json', b'{"label":"REAL"}'), ('.mp4', b'no video'), ('.txt', b'x')):
            info = tarfile.TarInfo(f'{i:09}{end}')
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
END
mkdir many
mv many.tar many/
expect_code 0 "$FAKESIFT" scan many -o many.csv
expect_text out '20000 videos (layout video2dataset, taken for videos in many.tar), 0 without a label, 0 missing'

# Compressed ones are said, not tried.
mkdir packed
tar -C videos/real -czf packed/0.tar.gz 2.mp4
cp packed/0.tar.gz packed/1.tar
expect_code 2 "$FAKESIFT" scan packed -o packed.csv
expect_text err '1.tar: compressed (gzip), so nothing can be read in place: unpack it'
expect_text err '1 archives to unpack first, such as 0.tar.gz'
