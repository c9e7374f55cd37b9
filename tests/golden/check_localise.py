#!/usr/bin/env python3
"""Compares `fakesift eval --board 1mdf-2` with an independent computation of AP@IoU and AR@N over random truths and files.

Usage: check_localise.py FAKESIFT [ROUNDS]. Definitions: coordinator/evaluate/localise.h. Plain Python, fractions for the
areas, so that no rounding is shared. Tolerance 1e-12.
"""
import json
import os
import random
import subprocess
import sys
import tempfile
from fractions import Fraction

AP_IOUS = [0.5, 0.75, 0.9, 0.95]
AR_NS = [50, 30, 20, 10, 5]
AR_IOUS = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]


def iou(a, b):
    shared = min(a[1], b[1]) - max(a[0], b[0])
    return shared / (max(a[1], b[1]) - min(a[0], b[0])) if shared > 0 else 0.0


def average_precision(truth, files, threshold):
    marked = []  # (confidence, place, hit) of all videos
    for video in sorted(truth):
        proposals = sorted(files.get(video, []), key=lambda p: (-p[0], p[1], p[2]))
        taken = set()
        for span in truth[video]:
            for k, p in enumerate(proposals):
                if k not in taken and iou(p[1:], span) > threshold:
                    taken.add(k)
                    break
        marked += [(p[0], len(marked) + k, k in taken) for k, p in enumerate(proposals)]
    marked.sort(key=lambda m: (-m[0], m[1]))
    n_spans = sum(len(s) for s in truth.values())
    curve, hits = [], 0
    for k, m in enumerate(marked):
        hits += m[2]
        curve.append((Fraction(hits, n_spans), Fraction(hits, k + 1)))
    area, before = Fraction(0), Fraction(0)
    for k, (recall, _) in enumerate(curve):
        if recall > before:
            area += (recall - before) * max(p for _, p in curve[k:])
            before = recall
    return float(area)


def average_recall(truth, files, n):
    n_spans, found = sum(len(s) for s in truth.values()), 0
    for video, spans in truth.items():
        proposals = sorted(files.get(video, []), key=lambda p: (-p[0], p[1], p[2]))[:n]
        for span in spans:
            best = max([iou(p[1:], span) for p in proposals], default=0)
            found += sum(best > x for x in AR_IOUS)
    return found / (len(AR_IOUS) * n_spans)


def main():
    fakesift, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 30
    rng, worst = random.Random(7), 0.0
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            truth, files, rows = {}, {}, ["path,label,fake_segments"]
            for v in range(rng.choice([1, 2, 9, 40])):
                name, spans = f"{v:06}.mp4", []
                if v == 0 or rng.random() < 0.7:
                    spans = [sorted(rng.sample(range(0, 400), 2)) for _ in range(rng.randint(1, 4))]
                    spans = [[a / 8, b / 8] for a, b in spans]
                truth[name] = spans
                rows.append(f"{name},{'FAKE' if spans else 'REAL'},{';'.join(f'{a}:{b}' for a, b in spans)}")
                files[name] = []
                for _ in range(rng.choice([0, 1, 3, 60])):
                    a, b = sorted(rng.sample(range(0, 400), 2))
                    if spans and rng.random() < 0.6:
                        near = rng.choice(spans)
                        a, b = int(near[0] * 8) + rng.randint(0, 2), int(near[1] * 8) - rng.randint(0, 2)
                    if a < b:
                        files[name].append([rng.choice([rng.random(), rng.randint(0, 4) / 4]), a / 8, b / 8])
            with open(os.path.join(folder, "truth.csv"), "w") as f:
                f.write("\n".join(rows) + "\n")
            with open(os.path.join(folder, "file.json"), "w") as f:
                json.dump(files, f, indent=rng.choice([None, 1]))
            out = os.path.join(folder, "out.json")
            subprocess.run([fakesift, "eval", "--truth", os.path.join(folder, "truth.csv"), "--board", "1mdf-2", "--json", out,
                            "--replicates", "200", os.path.join(folder, "file.json")], check=True, stdout=subprocess.DEVNULL)
            with open(out) as f:
                row = json.load(f)["standings"][0]["rows"][0]
            want = {f"ap_{x:g}": average_precision(truth, files, x) for x in AP_IOUS}
            want.update({f"ar_{n}": average_recall(truth, files, n) for n in AR_NS})
            want["score"] = sum(want[f"ap_{x:g}"] for x in AP_IOUS) / 8 + sum(want[f"ar_{n}"] for n in AR_NS) / 10
            for key, value in want.items():
                worst = max(worst, abs(row[key] - value))
                assert abs(row[key] - value) <= 1e-12, (key, row[key], value)
            for key in want:
                assert row["low_95"][key] <= row["high_95"][key]
    print(f"{rounds} truths, 10 figures each: largest difference {worst:.2g}")


main()
