"""Whole folders of clips: fakesift beside the Python pipeline of bench/peers/pipeline.py, both on all cores.

    corpus.py FAKESIFT FOLDER [--rounds N] [--network resnet50|mobilenet_v2] [--json FILE]

The same detector for both: YuNet, a frame network of random weights, a GRU of 256, 32 uniform frames. In each round come the peer,
then fakesift in float32, in bfloat16 and in bfloat16 on windows behind key frames; seconds are of the wall, from start to
end of each program, its start and its report included. Figures are medians of the rounds' ratios. Scores are compared on
Meso4, which is trained (random weights turn roundings into scores), once as it is and once with the ffmpeg program in
OpenCV's place. Exit code 1 when a limit is missed.
"""
import argparse
import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CLOSE = 1e-3


def cache_folder():
    """As models/detector.h says."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.environ.get("FAKESIFT_CACHE") or os.path.join(base, "fakesift")


def timed(command):
    """Seconds of the wall and of the CPU."""
    before, start = os.times(), time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.monotonic() - start, os.times()
    return wall, after.children_user - before.children_user + after.children_system - before.children_system


def scores(path):
    with open(path, newline="", encoding="utf-8") as f:
        return {row["path"]: float(row["p_fake"]) for row in csv.DictReader(f) if row["p_fake"]}


def make_meso(folder):
    """Meso4's card with the other detectors' face search and sampling."""
    source = os.path.join(cache_folder(), "meso4-df")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(source, "card.json"), encoding="utf-8") as f:
        card = json.load(f)
    card["face"] = {"detector": "yunet", "threshold": 0.6, "max_faces": 1}
    card["sampling"] = {"frames": 32}
    shutil.copy(os.path.join(source, card["networks"]["frame"]["file"]), folder)
    with open(os.path.join(folder, "card.json"), "w", encoding="utf-8") as f:
        json.dump(card, f)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("fakesift")
    p.add_argument("folder")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--network", default="resnet50", choices=["resnet50", "mobilenet_v2"])
    p.add_argument("--json")
    a = p.parse_args()
    yunet = os.path.join(cache_folder(), "yunet", "yunet.onnx")
    if not os.path.exists(yunet):
        print(f"corpus: {yunet} is not there: fakesift models fetch yunet", file=sys.stderr)
        return 0
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        has_bf16 = "avx512_bf16" in f.read()
    with tempfile.TemporaryDirectory() as work:
        def detector(name, *keys):
            subprocess.run([sys.executable, "-B", f"{HERE}/clip_detector.py", f".cache/bench-clip/{name}", a.network, *keys],
                           check=True, stderr=subprocess.DEVNULL)
            return f".cache/bench-clip/{name}/card.json"

        uniform = detector(f"{a.network}-uniform")
        keyframe = detector(f"{a.network}-keyframe", "sampling.mode=keyframe", "sampling.clips=2", "sampling.frames=16")

        def ours(card, out, *options):
            return [a.fakesift, "run", a.folder, "--layout", "dir", "--detector", card, "-o", f"{work}/{out}", "-q", *options]

        def peer(card, out, *options):
            return [sys.executable, "-B", f"{HERE}/peers/pipeline.py", a.folder, f"{work}/{out}.csv", "--card", card,
                    "--yunet", yunet, *options]

        # name: (command of round i, limit of its speed beside the peer)
        plan = {"peer": (lambda i: peer(uniform, f"peer{i}"), None),
                "f32": (lambda i: ours(uniform, f"f32-{i}"), 2.0)}
        if has_bf16:
            plan["bf16"] = (lambda i: ours(uniform, f"bf16-{i}", "--precision", "bf16"), 4.0)
            plan["bf16, key frames"] = (lambda i: ours(keyframe, f"key-{i}", "--precision", "bf16"), 6.0)
        times = {name: [] for name in plan}
        for i in range(a.rounds):
            for name, (command, _) in plan.items():
                times[name].append(timed(command(i)))
        n_videos = len(scores(f"{work}/peer0.csv"))
        missed, result = False, {"videos": n_videos, "network": a.network, "load": os.getloadavg()[0], "parts": {}}
        print(f"{n_videos} videos scored by the peer, {a.network}, {a.rounds} rounds, load average {result['load']:.1f}")
        for name, (_, limit) in plan.items():
            wall, cpu = (statistics.median(t[k] for t in times[name]) for k in (0, 1))
            ratio = statistics.median(x[0] / y[0] for x, y in zip(times["peer"], times[name]))
            missed |= limit is not None and ratio < limit
            result["parts"][name] = {"wall_s": wall, "cpu_s": cpu, "ratio": ratio, "limit": limit}
            print(f"{name:18} {wall:7.2f} s, {cpu:7.2f} s of CPU, {n_videos / wall:6.2f} videos/s, {ratio:5.2f} x"
                  + (f" (limit {limit})" if limit else ""))
        if os.path.isdir(os.path.join(cache_folder(), "meso4-df")):
            make_meso(f"{work}/meso")
            timed(ours(f"{work}/meso/card.json", "meso-ours"))
            for out, options in (("OpenCV", []), ("ffmpeg", ["--exact-pixels"])):
                timed(peer(f"{work}/meso/card.json", out, *options))
                mine, theirs = scores(f"{work}/meso-ours/scores.csv"), scores(f"{work}/{out}.csv")
                apart = sorted(abs(mine[k] - theirs[k]) for k in mine.keys() & theirs.keys())
                close = sum(x <= CLOSE for x in apart)
                result[f"scores_{out}"] = {"compared": len(apart), "median": statistics.median(apart), "largest": apart[-1]}
                print(f"Meso4's scores, frames by {out}: {close} of {len(apart)} within {CLOSE}, median {statistics.median(apart):.1e}, "
                      f"largest {apart[-1]:.1e}; scored by one only: {len(mine.keys() ^ theirs.keys())}")
        if a.json:
            with open(a.json, "w", encoding="utf-8") as f:
                json.dump(result, f, indent=1)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
