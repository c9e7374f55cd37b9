#!/usr/bin/python3
"""Writes tests/data/detector/*.onnx: small networks that fit a detector's card, and ones that break one rule each.

    make_detector_fixtures.py -o tests/data/detector
"""

import argparse
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "models", "convert"))

from onnx import TensorProto, helper  # noqa: E402
from onnx_build import Graph  # noqa: E402


def weights(*shape):
    return (np.arange(np.prod(shape), dtype=np.float32).reshape(shape) % 7 - 3) / 10


def picture(channels=3, side=64, values=1, outputs=1):
    """[N,channels,side,side] -> mean of each channel -> values."""
    g = Graph("picture")
    x = g.input("input", ["N", channels, side, side])
    x = g.op("Flatten", [g.op("GlobalAveragePool", [x], "mean")], "flat", axis=1)
    for i in range(outputs):
        g.dense(x, f"y{i}", weights(channels, values), np.zeros(values))
        g.output(f"y{i}", ["N", values])
    return g


def clip(frames=8, values=6, classes=1):
    """[N,frames,values] -> classes."""
    g = Graph("clip")
    x = g.op("Flatten", [g.input("input", ["N", frames, values])], "flat", axis=1)
    g.dense(x, "score", weights(frames * values, classes), np.zeros(classes))
    g.output("score", ["N", classes])
    return g


def two_inputs():
    g = Graph("two_inputs")
    g.op("Add", [g.input("a", ["N", 3]), g.input("b", ["N", 3])], "sum")
    g.output("sum", ["N", 3])
    return g


def whole_numbers():
    g = Graph("whole_numbers")
    g.inputs.append(helper.make_tensor_value_info("input", TensorProto.INT64, ["N", 3, 64, 64]))
    g.op("Cast", ["input"], "y", to=TensorProto.FLOAT)
    g.output("y", ["N", 3, 64, 64])
    return g


def main():
    p = argparse.ArgumentParser(description="Small ONNX files for tests of detectors.")
    p.add_argument("-o", "--output", required=True, metavar="FOLDER", help="an existing folder")
    a = p.parse_args()
    graphs = {"score": picture(), "features": picture(values=6), "grey": picture(channels=1),
              "small": picture(side=32), "two_outputs": picture(outputs=2), "clip": clip(), "clip5": clip(frames=5),
              "clip_wide": clip(values=7), "clip_classes": clip(classes=2), "two_inputs": two_inputs(),
              "whole_numbers": whole_numbers()}
    for name, graph in graphs.items():
        graph.save(os.path.join(a.output, f"{name}.onnx"), "")


if __name__ == "__main__":
    main()
