#!/usr/bin/python3
"""Writes tests/data/detectors/square: a face detector in UltraFace's form whose "face" is a bright square on a dark ground, so
that the search, its boxes and what follows them can be run on a rendered clip, without weights or faces of anybody.

    make_square_finder.py tests/data/detectors/square
"""
import json
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "models", "convert"))
from onnx_build import Graph  # noqa: E402

# Rows, columns and sizes of each level (nodes/ultraface.c), 4420 priors.
LEVELS = ((8, 30, 40, 3), (16, 15, 20, 2), (32, 8, 10, 2), (64, 4, 5, 3))
FINDING = 32   # the level whose larger prior, 96 pixels, answers


def main():
    g = Graph("square")
    x = g.input("input", [1, 3, 240, 320])
    scores, boxes = [], []
    for stride, rows, columns, sizes in LEVELS:
        name = f"level{stride}"
        side = 2 * stride
        weights = np.zeros((2 * sizes, 3, 1, 1), np.float32)
        bias = np.tile(np.float32([6, -6]), sizes)
        if stride == FINDING:
            # Brightness on average, from -1 to 1: what is beyond .46 is a face with more than 0.9.
            weights[3] = 20 / 3
            bias[2:4] = 0, -7
        high = ((rows - 1) * stride + side - 240, (columns - 1) * stride + side - 320)
        pads = [high[0] // 2, high[1] // 2, high[0] - high[0] // 2, high[1] - high[1] // 2]
        mean = g.op("AveragePool", [x], f"{name}.mean", kernel_shape=[side, side], strides=[stride, stride], pads=pads,
                    count_include_pad=1)
        y = g.conv(mean, name, weights, bias)
        last = g.op("Transpose", [y], f"{name}.last", perm=[0, 2, 3, 1])
        scores.append(g.op("Reshape", [last, g.constant(f"{name}.shape2", [1, -1, 2], np.int64)], f"{name}.scores"))
        zeros = g.conv(mean, f"{name}.box", np.zeros((4 * sizes, 3, 1, 1), np.float32), np.zeros(4 * sizes))
        last = g.op("Transpose", [zeros], f"{name}.box_last", perm=[0, 2, 3, 1])
        boxes.append(g.op("Reshape", [last, g.constant(f"{name}.shape4", [1, -1, 4], np.int64)], f"{name}.boxes"))
    g.op("Softmax", [g.op("Concat", scores, "logits", axis=1)], "scores", axis=2)
    g.op("Concat", boxes, "boxes", axis=1)
    g.output("scores", [1, 4420, 2])
    g.output("boxes", [1, 4420, 4])
    os.makedirs(sys.argv[1], exist_ok=True)
    g.save(os.path.join(sys.argv[1], "square.onnx"), "A bright square on a dark ground")
    card = {"kind": "face_detector", "name": "square", "title": "A bright square on a dark ground, for tests",
            "licence": "Apache-2.0", "provenance": "tests/golden/make_square_finder.py", "worth": "Nothing: it finds squares.",
            "architecture": "ultraface", "face_networks": [{"file": "square.onnx"}]}
    with open(os.path.join(sys.argv[1], "card.json"), "w", encoding="utf-8") as f:
        json.dump(card, f, indent=2)
        f.write("\n")


if __name__ == "__main__":
    main()
