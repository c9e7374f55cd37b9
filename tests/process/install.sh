#!/bin/bash
# What `cmake --install` lays down works from there and from wherever it is moved to: a run with an installed detector's files,
# the manual page, the completions. Nothing of it looks at the source folder.
. "$(dirname "$0")/lib.sh"
build=$(dirname "$FAKESIFT")

DESTDIR=$WORK/image cmake --install "$build" --prefix /opt/fakesift >install.log || { cat install.log; fail "cmake --install"; }
mv image/opt/fakesift moved
rm -r image
installed=$WORK/moved/bin/fakesift
for file in share/fakesift/zoo.json share/fakesift/cards/fakesift-temporal/card.json share/fakesift/convert/mtcnn_from_faceapi.py \
    share/fakesift/slurm/fakesift.sbatch share/man/man1/fakesift.1 share/bash-completion/completions/fakesift \
    share/zsh/vendor-completions/_fakesift share/fish/vendor_completions.d/fakesift.fish share/doc/fakesift/README.md \
    share/doc/fakesift/copyright; do
    [ -s "moved/$file" ] || fail "$file is not installed"
done
[ -z "$(find moved -name '__pycache__' -o -name '*.c')" ] || fail "sources are installed"
expect_code 0 "$installed" --version

# Its data are those beside it: a card that only this folder has is found, and no other folder is looked into.
export FAKESIFT_CACHE=$WORK/cache
cp -r "$(dirname "$DETECTOR")" moved/share/fakesift/cards/beside
sed -i 's/"name": "[^"]*"/"name": "beside"/' moved/share/fakesift/cards/beside/card.json
corpus videos 2 1
expect_code 0 "$installed" run videos --layout dir --detector beside -o run
expect_text out '6 of 6 videos decided'
[ "$(outcome run real/2.mp4)" = scored ] || fail "the installed program scored nothing"
expect_code 2 "$FAKESIFT" run videos --layout dir --detector beside -o other
expect_text err 'no such detector'
expect_code 0 "$installed" models list
expect_text out 'fakesift-temporal'
