#!/bin/sh
# Trains fakesift's temporal detector on anybody's clips, on a CPU. Each step keeps what it has finished, so the same
# command goes on after a stop; seeds are fixed.
#   train.sh --real DIR [--fake DIR] [--portraits DIR] [--table CSV] --backbone DIR --work DIR --card DIR [--all]
# real, fake: folders of videos; a fake's method is its folder below DIR, its group its name without extension, or both are
# in the table (columns path, method, group, family). portraits: photographs of one face each. backbone: dist/models/mobilenet_v2
# of the npm package nsfwjs 4.4.0. WORK is outside of the repository (other people's faces are stored there) and takes about
# 150 KB a frame, 48 frames a video. --all trains on the makers that are kept out otherwise (source.py).
# FAKESIFT: the program (default: build/fakesift here); SHARDS, STEPS: how much is made and trained.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-/usr/bin/python3} fakesift=${FAKESIFT:-$here/../../build/fakesift}
real='' fake='' portraits='' table='' backbone='' work='' card='' all=''
while [ $# -gt 0 ]; do
    case $1 in
    --real) real=$2 ;; --fake) fake=$2 ;; --portraits) portraits=$2 ;; --table) table=$2 ;; --backbone) backbone=$2 ;;
    --work) work=$2 ;; --card) card=$2 ;;
    --all) all=--all; shift; continue ;;
    *) echo "train.sh: $1: not an option" >&2; exit 2 ;;
    esac
    shift 2
done
for need in real backbone work card; do
    eval "[ -n \"\$$need\" ]" || { echo "train.sh: --$need is missing" >&2; exit 2; }
done
mkdir -p "$work"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
cd "$here"

"$python" cut.py "$fakesift" "$real" auto "$work" real
[ -z "$fake" ] || "$python" cut.py "$fakesift" "$fake" auto "$work" fake
[ -z "$portraits" ] || "$python" cut.py "$fakesift" "$portraits" portraits "$work" portraits
[ -f "$work/backbone.pt" ] || "$python" backbone.py "$backbone" "$work/backbone.pt"
"$python" makers.py "$work" "$table"
"$python" make_clips.py "$work" "clips$all" --shards "${SHARDS:-250}" ${table:+--table "$table"} $all
"$python" make_clips.py "$work" "long$all" --frames 16 --shards "$((${SHARDS:-250} / 12 + 1))" ${table:+--table "$table"} $all
"$python" train.py "$work" frames --name frame --clips "clips$all" --steps "${STEPS:-8000}"
"$python" train.py "$work" temporal --name temporal --clips "long$all,clips$all" --steps 600 --model "$work/frame.pt"
[ -z "$fake" ] || "$python" evaluate.py "$work" --frame "$work/frame.pt" --temporal "$work/temporal.pt" ${table:+--table "$table"} \
    ${all:+--split last} --calibration "$work/calibration.json" > "$work/figures.md"
"$python" export.py --frame "$work/frame.pt" --temporal "$work/temporal.pt" --out "$card" --golden "$work/golden.json" \
    --calibration "$work/calibration.json"
