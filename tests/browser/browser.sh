#!/usr/bin/env bash
# report.html and the page of one video, in this machine's Chromium.
# In: a build folder (default: build); SHOTS=FOLDER keeps pictures of what was looked at. Out: a line a check, then
# "N passed, N failed, N skipped". Skipped, with the reason, where Chromium, npm or npm's registry is not to be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD
build=$(cd "${1:-build}" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/fakesift-browser.XXXXXX")
trap 'rm -rf "$work"' EXIT

skip() {
    echo "SKIPPED: the page in a browser: $*"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

chromium=''
for name in chromium chromium-browser google-chrome; do
    chromium=$(command -v "$name") && break
done
[ -n "$chromium" ] || skip "no chromium here"
if ! command -v npm >/dev/null || ! command -v node >/dev/null; then skip "no npm here"; fi
[ -x "$build/tests/report_sample" ] || skip "$build/tests/report_sample is not built"
[ -s "$build/coordinator/report/page_charts.js" ] || skip "this build has no charts (npm was not to be had)"

# The driver, once for a version.
tools=$root/.cache/browser-$(cat tests/browser/package-lock.json tests/browser/package.json | sha256sum | cut -c1-16)
if [ ! -d "$tools/node_modules/playwright-core" ]; then
    mkdir -p "$tools"
    cp tests/browser/package.json tests/browser/package-lock.json "$tools/"
    (cd "$tools" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >"$work/npm.log" 2>&1) ||
        skip "npm could not get playwright-core: $(tail -n 1 "$work/npm.log")"
fi

command -v ffmpeg >/dev/null || skip "no ffmpeg here"
# Made-up runs, the first with face crops; a real one, scored by a tiny network, and one video of it.
mkdir -p "$work/small/crops" "$work/large" "$work/one" "$work/corpus/real" "$work/corpus/fake/blend"
picture() {
    ffmpeg -nostdin -v error -y -f lavfi -i "testsrc2=size=$1:rate=25:duration=$2" -vf "hue=H=$3" "${@:4}"
}
picture 96x96 1 0 -frames:v 1 "$work/small/crops/a.jpg"
echo 'not a picture' >"$work/small/crops/text.jpg"
"$build/tests/report_sample" 400 "$work/small" >"$work/sample.log" 2>&1
path=$(cd "$work/small" && python3 "$root/tests/browser/top.py")
{
    echo 'path,track,clip,time_us,file'
    printf '%s,0,0,900000,a.jpg\n%s,1,2,5100000,a.jpg\n' "$path" "$path"
    printf '%s,0,1,1,../../../../etc/passwd\n%s,0,1,1,text.jpg\n%s,0,1,1,none.jpg\n' "$path" "$path" "$path"
} >"$work/small/crops/crops.csv"
{
    "$build/tests/report_sample" 400 "$work/small"
    "$build/tests/report_sample" 100000 "$work/large"
    "$build/tests/report_sample" 1 "$work/one"
} >>"$work/sample.log" 2>&1
for i in 1 2 3; do
    picture 64x64 2 $((i * 20)) -c:v libx264 -preset ultrafast -pix_fmt yuv420p "$work/corpus/real/$i.mp4"
    picture 64x64 2 $((i * 50)) -c:v libx264 -preset ultrafast -pix_fmt yuv420p "$work/corpus/fake/blend/it's <b>$i.mp4"
done
"$build/fakesift" run "$work/corpus" --layout dir --detector tests/data/detectors/tiny-gru/card.json -o "$work/run" >"$work/run.log" 2>&1 ||
    { cat "$work/run.log"; exit 1; }
"$build/fakesift" explain "$work/run" "fake/blend/it's <b>1.mp4" --html "$work/explain.html"

cp tests/browser/page.mjs "$tools/page.mjs"
cd "$tools"
exec node page.mjs "$chromium" "$work" "$path" "${SHOTS:-}"
