#!/usr/bin/python3
"""LRNet through the whole program: each block's score of `fakesift run` against golden_numpy.tsv of the mirror.

    landmarks.py FAKESIFT MIRROR        (exit status 77: skipped)
"""
import csv
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

TOLERANCE = 1e-4
WEIGHTS = "demo_model_weights"  # those that the mirror holds


def main():
    fakesift, mirror = sys.argv[1:]
    golden = os.path.join(mirror, "lrnet/golden_numpy.tsv")
    if not os.path.exists(golden):
        print(f"skipped: {golden} is not here")
        sys.exit(77)
    want = {}
    with open(golden, newline="") as f:
        for row in csv.DictReader(f, delimiter="\t"):
            if row["weights"] != WEIGHTS:
                continue
            want[row["landmark_file"], int(row["segment"])] = float(row["mean"])
    with tempfile.TemporaryDirectory() as work:
        env = dict(os.environ, FAKESIFT_CACHE=f"{work}/cache", FAKESIFT_ZOO_MIRROR=os.path.abspath(mirror))
        subprocess.run([fakesift, "models", "fetch", "lrnet"], check=True, env=env)
        shutil.copytree(os.path.join(mirror, "lrnet/landmarks"), f"{work}/corpus")
        subprocess.run([fakesift, "run", f"{work}/corpus", "--detector", "lrnet", "-o", f"{work}/run"], check=True, env=env)
        rows = sqlite3.connect(f"{work}/run/results.sqlite").execute(
            "SELECT video.path, clip.clip, clip.p_fake FROM clip JOIN video ON video.id = clip.video_id").fetchall()
    got = {(path, clip): p for path, clip, p in rows}
    if got.keys() != want.keys():
        sys.exit(f"FAILED: blocks {sorted(got.keys() ^ want.keys())[:5]} stand on one side only")
    worst = max(abs(got[k] - want[k]) for k in want)
    print(f"{len(want)} blocks, largest difference {worst:.2e} (limit {TOLERANCE})")
    if worst > TOLERANCE:
        sys.exit("FAILED")


if __name__ == "__main__":
    main()
