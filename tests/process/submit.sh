#!/bin/bash
# fakesift submit without a Slurm: stand-ins for sinfo, scontrol and sbatch tell of a site and note what they were called with.
# What is handed in, to whom, with which script, and what is refused before anything is. (tests/cluster runs such a job.)
. "$(dirname "$0")/lib.sh"
corpus videos 4 1
mkdir bin
cat >bin/sinfo <<'STUB'
#!/bin/bash
echo "sinfo $*" >>"$STUB_LOG"
printf '%s\n' 'batch*|n1|16|64000|1-00:00:00|up|idle' 'batch*|n2|24|96000|1-00:00:00|up|mixed' 'batch*|n3|16|64000|1-00:00:00|up|down*' \
    'small|s1|2|4000|30:00|up|idle'
STUB
cat >bin/scontrol <<'STUB'
#!/bin/bash
echo "scontrol $*" >>"$STUB_LOG"
STUB
cat >bin/sbatch <<'STUB'
#!/bin/bash
echo "sbatch $*" >>"$STUB_LOG"
[ -z "${STUB_REFUSES:-}" ] || { echo "sbatch: error: $STUB_REFUSES" >&2; exit 1; }
echo '4711;there'
STUB
chmod +x bin/*
export PATH=$WORK/bin:$PATH STUB_LOG=$WORK/calls
: >calls
submit() { "$FAKESIFT" submit videos --layout dir --detector "$DETECTOR" "$@"; }

# A folder below /tmp is no other node's, which --force overrules.
expect_code 0 submit -o dry --dry-run --force
cp out script
[ ! -e dry ] || fail "--dry-run made a folder"
! grep -q '^sbatch' calls || fail "--dry-run handed in"
bash -n script || fail "the script is no bash"
expect_text script '#SBATCH --nodes='
expect_text script "$DETECTOR"
expect_text err '8 videos'

expect_code 0 submit -o run --force --nodes 1 --time 0:20:00 --partition small --account lab --pass=--strict -- --qos=night
expect_text out 'job 4711'
expect_text calls "sbatch --parsable --qos=night $WORK/run/slurm/job.sbatch"
for line in '#SBATCH --nodes=1' '#SBATCH --partition=small' '#SBATCH --account=lab' '--strict'; do
    expect_text run/slurm/job.sbatch "$line"
done

# Each on a line of its own, K at once.
cp -r videos more
printf '%s\n' "$WORK/videos" "$WORK/more" >list.txt
expect_code 0 "$FAKESIFT" submit list.txt --array 1 --layout dir --detector "$DETECTOR" -o many --force
expect_text many/slurm/job.sbatch '#SBATCH --array='
cmp list.txt many/slurm/corpora.txt || fail "another list is kept"

# What is refused, each with its word.
calls_before=$(grep -c '^sbatch' calls)
expect_code 2 submit -o none --force --partition nowhere
expect_text err 'nowhere'
expect_code 2 submit -o none --force --detector missing/card.json
expect_text err 'missing/card.json'
expect_code 2 "$FAKESIFT" submit nothing --detector "$DETECTOR" -o none --force
expect_text err 'nothing'
expect_code 1 submit -o none --launch carrier-pigeon
[ "$(grep -c '^sbatch' calls)" -eq "$calls_before" ] || fail "something refused was handed in"
STUB_REFUSES='Invalid qos' expect_code 2 submit -o again --force
expect_text err 'Invalid qos'
