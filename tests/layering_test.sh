#!/usr/bin/env bash
# tests/layering.sh can fail: in copies of the sources, each with one planted violation, it says so and says which.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/fakesift-layering.XXXXXX")
trap 'rm -rf "$work"' EXIT

fresh() {
    rm -rf "$work/tree"
    mkdir "$work/tree"
    cd "$root"
    local folder
    for folder in coordinator nodes shard models slurm tests bench docs; do
        [ ! -d "$folder" ] || cp -R "$folder" "$work/tree/"
    done
    cd "$work/tree"
}

# expect NAME TEXT: the planted tree fails with a line that holds TEXT
n_planted=0
expect() {
    n_planted=$((n_planted + 1))
    if bash "$root/tests/layering.sh" "$work/tree" >"$work/out"; then
        echo "layering_test: $1: passed although planted"
        exit 1
    fi
    if ! grep -qF -- "$2" "$work/out"; then
        echo "layering_test: $1: no line holds '$2':"
        cat "$work/out"
        exit 1
    fi
}

fresh
if ! bash "$root/tests/layering.sh" "$work/tree" >"$work/out"; then
    echo "layering_test: the tree itself breaks the rules; nothing can be planted in it"
    cat "$work/out"
    exit 1
fi

plant() {
    fresh
    printf '%s\n' "$2" >"$1"
}
plant shard/planted.c '#include <mpi.h>'
expect 'a second door for MPI' 'shard/planted.c:1: <mpi.h> has its door in: shard/channel*.c'
plant nodes/planted.c '#include <libavcodec/avcodec.h>'
expect 'a second door for FFmpeg' 'nodes/planted.c:1: <libavcodec/avcodec.h>'
plant nodes/planted.c '#include <cblas.h>'
expect 'BLAS outside its backend' '<cblas.h> has its door'
plant models/planted.c '#include <oneapi/dnnl/dnnl.h>'
expect 'oneDNN outside its backend' '<oneapi/dnnl/dnnl.h> has its door'
plant coordinator/planted.c '#  include <sqlite3.h>'
expect 'SQLite outside the report' '<sqlite3.h> has its door'
plant nodes/planted.c '#include "wire.pb-c.h"'
expect 'generated code outside its door' '<wire.pb-c.h> has its door'
plant shard/planted.c '#include "nodes/decoder.h"'
expect 'shard sees nodes' 'shard/ may not include nodes/decoder.h'
plant models/planted.c '#include "shard/manifest.h"'
expect 'models sees more than the leaves' 'models/ may not include shard/manifest.h'
plant coordinator/planted.c '#include "nodes/decoder.h"'
expect 'coordinator sees nodes' 'coordinator/ may not include nodes/decoder.h'
plant nodes/planted.c '#include "decoder.h"'
expect 'an include that is not root-relative' '"decoder.h": no such file from the root'
plant nodes/planted.c '#include "../shard/status.h"'
expect 'an include that climbs' 'includes are relative to the root'
plant nodes/planted.h '#ifndef X'
expect 'a header without its map' 'nodes/planted.h: begins without'
plant nodes/planted.c "$(seq 1 551 | sed 's/.*/int x;/')"
expect 'a file that is too long' 'nodes/planted.c: 551 lines'
plant nodes/planted.c "/* see /ho""me/somebody/notes */"
expect 'a path of one machine' 'a path of one machine: ./nodes/planted.c:1'
fresh
mkdir util
expect 'a folder that is not in the design' 'util/: not among the top-level folders'
fresh
find coordinator -name '*.[ch]' -path '*report*' -exec sed -i 's/In:/in/' {} +
expect 'a folder that hides its flow' 'coordinator/report/: no file says at its head'
echo "layering_test: $n_planted planted violations, all found"
