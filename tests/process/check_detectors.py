#!/usr/bin/python3
"""The small detectors of tests/data/detectors through the whole program, against the same modules in PyTorch.

    check_detectors.py FAKESIFT SOURCE_FOLDER

Clips of the detectors' own size are made with the ffmpeg program, scored by `fakesift run`, and scored here: ffmpeg decodes
every frame, the sampling rule of nodes/sampler.h picks 2 x 8 of them, PyTorch runs the modules of
tests/golden/make_detectors.py. Only the conversion from YUV to RGB may differ, by a rounding.
"""
import csv
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import torch

FPS, SECONDS, SIDE = 25, 3, 64
CLIPS, FRAMES = 2, 8
TOLERANCE = 1e-4


def clip(path, seed):
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i",
                    f"testsrc2=size={SIDE}x{SIDE}:rate={FPS}:duration={SECONDS}", "-vf", f"hue=H={seed}",
                    "-c:v", "libx264", "-crf", "20", "-pix_fmt", "yuv420p", "-threads", "1", path], check=True)


def frames_of(path):
    raw = subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", path, "-vf",
                          "scale=flags=bilinear+accurate_rnd+full_chroma_int+bitexact,format=rgb24", "-f", "rawvideo", "-"],
                         check=True, stdout=subprocess.PIPE).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, SIDE, SIDE, 3)


def wanted(frames):
    """The first frame at or after (i + 0.5) / n of the last frame's time."""
    last_us = (len(frames) - 1) * 1000000 // FPS
    n = CLIPS * FRAMES
    times = [(2 * i + 1) * last_us / (2 * n) for i in range(n)]
    return frames[[int(np.ceil(t * FPS / 1e6 - 1e-6)) for t in times]]


def scores(frames, modules):
    joint, frame, temporal = modules
    x = (torch.from_numpy(wanted(frames).copy()).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25
    x = x.reshape(CLIPS, FRAMES, 3, SIDE, SIDE)
    with torch.no_grad():
        lstm = torch.sigmoid(joint(x))[:, 0].mean().item()
        features = frame(x.reshape(-1, 3, SIDE, SIDE)).reshape(CLIPS, FRAMES, -1)
        gru = torch.softmax(temporal(features), dim=1)[:, 1].mean().item()
    return {"tiny-lstm": lstm, "tiny-gru": gru}


def same_with_a_fixed_batch(fakesift, source, work):
    """An exporter without dynamic axes fixes the batch; the scores are the same bytes."""
    for batch in (1, 3):
        folder = f"{work}/batch{batch}"
        shutil.copytree(f"{source}/tests/data/detectors/tiny-gru", folder)
        model = onnx.load(f"{folder}/frame.onnx")
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
        onnx.save(model, f"{folder}/frame.onnx")
        subprocess.run([fakesift, "run", f"{work}/videos", "--detector", f"{folder}/card.json", "-o", f"{folder}/run", "-q"],
                       check=True, stdout=subprocess.DEVNULL)
        with open(f"{folder}/run/scores.csv") as got, open(f"{work}/tiny-gru/scores.csv") as want:
            assert got.read() == want.read(), f"other scores with the batch fixed at {batch}"


def main():
    fakesift, source = sys.argv[1:]
    sys.path.insert(0, os.path.join(source, "tests/golden"))
    import make_detectors

    modules = make_detectors.make()
    worst, spread = 0, []
    with tempfile.TemporaryDirectory() as work:
        os.makedirs(f"{work}/videos")
        for i in range(6):
            clip(f"{work}/videos/{i}.mp4", 60 * i)
        for name in ("tiny-lstm", "tiny-gru"):
            subprocess.run([fakesift, "run", f"{work}/videos", "--detector",
                            f"{source}/tests/data/detectors/{name}/card.json", "-o", f"{work}/{name}", "-q"],
                           check=True, stdout=subprocess.DEVNULL)
            with open(f"{work}/{name}/scores.csv", newline="") as f:
                rows = list(csv.DictReader(f))
            assert len(rows) == 6
            got = []
            for row in rows:
                want = scores(frames_of(f"{work}/videos/{row['path']}"), modules)[name]
                got.append(float(row["p_fake"]))
                worst = max(worst, abs(got[-1] - want))
                print(f"{name} {row['path']}: fakesift {got[-1]:.6f}, PyTorch {want:.6f}")
            spread.append(max(got) - min(got))
        same_with_a_fixed_batch(fakesift, source, work)
    print(f"largest difference {worst:.2e} (limit {TOLERANCE}), scores spread over {min(spread):.3f} at least")
    if min(spread) < 10 * TOLERANCE:
        sys.exit("the scores hardly differ between clips: this would not notice a wrong one")
    if worst > TOLERANCE:
        sys.exit("FAILED")


if __name__ == "__main__":
    main()
