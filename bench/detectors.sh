#!/usr/bin/env bash
# Several detectors in one pass beside each alone: user CPU of whole runs, interleaved, medians.
#   bench/detectors.sh CORPUS [A,B,C [ROUNDS]]
set -euo pipefail
if [ $# -lt 1 ]; then
    echo "detectors: skipped: it needs a corpus: ./run bench detectors CORPUS [A,B,C [ROUNDS]]"
    exit 0
fi
corpus=$(realpath "$1") list=${2:-meso4-df,mesoinception-df,meso4-f2f} rounds=${3:-5}
cd "$(dirname "${BASH_SOURCE[0]}")/.."
/usr/bin/python3 -B - "$corpus" "$list" "$rounds" <<'END'
import resource, shutil, statistics, subprocess, sys, tempfile

corpus, detectors, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
alone = detectors.split(",")
names = alone + [detectors]
seconds = {name: [] for name in names}


def user_s():
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime


for number in range(rounds):
    for name in names[number % len(names):] + names[:number % len(names)]:
        folder = tempfile.mkdtemp(prefix="fakesift-bench.")
        before = user_s()
        subprocess.run(["build/fakesift", "run", corpus, "--detector", name, "-o", folder + "/run", "--lanes", "1", "-q"],
                       check=True, stdout=subprocess.DEVNULL)
        seconds[name].append(user_s() - before)
        shutil.rmtree(folder)
for name in names:
    print("%-60s %7.2f s (%s)" % (name, statistics.median(seconds[name]), " ".join("%.2f" % s for s in seconds[name])))
together = seconds[detectors]
print("beside their sum: %.2f" % statistics.median(t / sum(seconds[a][i] for a in alone) for i, t in enumerate(together)))
dearest = max(alone, key=lambda a: statistics.median(seconds[a]))
print("beside the dearest, %s: %.2f (limit 1.5)" % (dearest, statistics.median(t / o for t, o in zip(together, seconds[dearest]))))
print("beside the first, %s: %.2f" % (alone[0], statistics.median(t / o for t, o in zip(together, seconds[alone[0]]))))
END
