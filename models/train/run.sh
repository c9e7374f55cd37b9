#!/bin/sh
# All of fakesift-small in order: crops, training clips, validation clips, training, figures, export. Each step keeps what
# it has finished, so the same command goes on after a stop.
#   run.sh CORPUS ZOO WORK CARD
# CORPUS holds labelled/ (labels.csv), portraits/ (index.tsv) and smoke/fake/; ZOO holds mtcnn/det1..3.npy and
# mobilenet/mobilenetV1X0.25_pretrain.tar; WORK is outside the repository (faces of other people are stored there).
set -eu
corpus=$1 zoo=$2 work=$3 card=$4
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
python=${PYTHON:-/usr/bin/python3}
mkdir -p "$work"

"$python" "$here/lists.py" "$corpus" "$work"
"$python" "$here/extract.py" "$work/train.tsv" "$work/crops" --mtcnn "$zoo/mtcnn"
"$python" "$here/make_clips.py" --labelled "$corpus/labelled" --portraits "$corpus/portraits" --cache "$work/crops" \
    --out "$work/clips" --shards "${SHARDS:-56}"
"$python" "$here/make_unseen.py" --labelled "$corpus/labelled" --portraits "$corpus/portraits" --mtcnn "$zoo/mtcnn" \
    --out "$work/unseen"
"$python" "$here/make_demo_like.py" --make-corpus "$root/tests/demo/make_corpus.py" --portraits "$corpus/portraits" \
    --out "$work/unseen"
"$python" "$here/lists.py" "$corpus" "$work"
"$python" "$here/extract.py" "$work/val.tsv" "$work/valcrops" --mtcnn "$zoo/mtcnn" --side 128 --margin 1.2 --frames 16
"$python" "$here/train.py" --clips "$work/clips" --imagenet "$zoo/mobilenet/mobilenetV1X0.25_pretrain.tar" \
    --work "$work/model"
"$python" "$here/evaluate.py" --labelled "$corpus/labelled" --cache "$work/valcrops" --model "$work/model/model.pt" \
    --out "$work/report.json"
"$python" "$here/export.py" --model "$work/model/model.pt" --report "$work/report.json" --out "$card" \
    --golden "$work/golden.npz"
