"""One rank beside two, one lane each, on clips whose decoding is nearly all of the work; and beside two independent runs of half
the clips each, which is what the machine itself allows. Interleaved rounds, medians. In: fakesift, the source folder.
Out: a table and a JSON file; exit code 1 when two ranks are not 1.9 times as fast as one."""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

LIMIT = 1.9


def make_clips(folder, n_clips):
    for half in ("a", "b"):
        os.makedirs(os.path.join(folder, half))
    first = os.path.join(folder, "a", "00.mp4")
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i",
                    "testsrc2=size=1280x720:rate=25:duration=8,noise=alls=14:allf=t", "-c:v", "libx264", "-preset", "veryfast",
                    "-g", "250", "-pix_fmt", "yuv420p", "-threads", "2", first], check=True)
    for i in range(1, n_clips):
        shutil.copy(first, os.path.join(folder, "ab"[i % 2], f"{i:02}.mp4"))


def timed(commands, work):
    """Seconds until all of them, started together, have ended."""
    start = time.monotonic()
    running = [subprocess.Popen(c, cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for c in commands]
    for p in running:
        _, err = p.communicate()
        if p.returncode != 0:
            sys.exit(f"{p.args}: {err.decode(errors='replace')}")
    return time.monotonic() - start


def main():
    p = argparse.ArgumentParser()
    p.add_argument("fakesift")
    p.add_argument("source")
    p.add_argument("--json")
    p.add_argument("--clips", type=int, default=24)
    p.add_argument("--rounds", type=int, default=5)
    a = p.parse_args()
    detector = os.path.abspath(os.path.join(a.source, "tests/data/detectors/tiny-gru/card.json"))
    fakesift = os.path.abspath(a.fakesift)
    times = {"one rank": [], "two ranks": [], "two runs": []}
    with tempfile.TemporaryDirectory() as work:
        make_clips(os.path.join(work, "clips"), a.clips)

        def run(corpus, output, ranks):
            return ["mpirun", "-n", str(ranks), "--bind-to", "none", fakesift, "run", corpus, "--layout", "dir", "--quiet",
                    "--detector", detector, "-o", output, "--lanes", "1"]

        for i in range(a.rounds):
            times["one rank"].append(timed([run("clips", f"one{i}", 1)], work))
            times["two ranks"].append(timed([run("clips", f"two{i}", 2)], work))
            times["two runs"].append(timed([run("clips/a", f"a{i}", 1), run("clips/b", f"b{i}", 1)], work))
    median = {name: statistics.median(t) for name, t in times.items()}
    faster = statistics.median(x / y for x, y in zip(times["one rank"], times["two ranks"]))
    possible = statistics.median(x / y for x, y in zip(times["one rank"], times["two runs"]))
    load = os.getloadavg()[0]
    print("seconds, medians: " + ", ".join(f"{name} {t:.2f}" for name, t in median.items()))
    print(f"two ranks are {faster:.2f} x one (limit {LIMIT}); two independent runs {possible:.2f} x; load average {load:.1f} on "
          f"{os.cpu_count()} cores")
    if a.json:
        with open(a.json, "w", encoding="utf-8") as f:
            json.dump({"seconds": times, "two_ranks": faster, "two_runs": possible, "load": load}, f)
    return 0 if faster >= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
