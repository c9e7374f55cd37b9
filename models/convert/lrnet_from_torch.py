#!/usr/bin/python3
"""LRNet (Sun et al. 2021) from the authors' PyTorch state dicts to ONNX.

    lrnet_from_torch.py --g1 g1.pth --g2 g2.pth -o FOLDER

Writes FOLDER/g1.onnx, input [N,30,136] (calibrated landmarks x, y of 68 points), and FOLDER/g2.onnx, input [N,29,136]
(their first differences in time). Output of both: logits [N,2], [real, fake].
The network: a bidirectional GRU of 32 units from a learned initial state; its two last states joined; a residual
feed-forward block of 64; a linear layer to two classes. Dropout is for training only.
"""

import argparse
import os

import numpy as np
import torch

from onnx_build import ConversionError, Graph, run

UNITS, POINTS = 32, 68


def read_state(path):
    state = torch.load(path, map_location="cpu", weights_only=True)  # no code from the pickle
    if not isinstance(state, dict):
        raise ConversionError(f"{path}: holds a {type(state).__name__}, not a state dict")
    return {k: v.numpy().astype(np.float32) for k, v in state.items()}


def gates(array):
    """PyTorch's r, z, n along the first axis -> ONNX's z, r, h."""
    r, z, n = np.split(array, 3)
    return np.concatenate([z, r, n])


def network(state, frames):
    def get(name, *shape):
        if name not in state or state[name].shape != shape:
            raise ConversionError(f"{name}: wanted with the shape {shape}, found "
                                  f"{state[name].shape if name in state else 'nothing'}")
        return state[name]

    g, size, both = Graph("lrnet", opset=14), 2 * POINTS, 2 * UNITS
    ways = ["", "_reverse"]
    x = g.input("input", ["N", frames, size])
    w = np.stack([gates(get(f"gru.weight_ih_l0{way}", 3 * UNITS, size)) for way in ways])
    r = np.stack([gates(get(f"gru.weight_hh_l0{way}", 3 * UNITS, UNITS)) for way in ways])
    b = np.stack([np.concatenate([gates(get(f"gru.bias_{k}_l0{way}", 3 * UNITS)) for k in ("ih", "hh")])
                  for way in ways])
    # The initial state is the same for each row: [2,1,32] -> [2,N,32].
    rows = g.op("Gather", [g.op("Shape", [x], "shape"), g.constant("zero", [0], np.int64)], "rows", axis=0)
    wanted = g.op("Concat", [g.constant("two", [2], np.int64), rows, g.constant("units", [UNITS], np.int64)],
                  "state.shape", axis=0)
    h0 = g.op("Expand", [g.constant("hidden_state", get("hidden_state", 2, 1, UNITS)), wanted], "initial_h")
    g.node("GRU", [g.op("Transpose", [x], "time_first", perm=[1, 0, 2]), g.constant("gru.W", w),
                   g.constant("gru.R", r), g.constant("gru.B", b), "", h0], ["", "gru.last"],
           direction="bidirectional", hidden_size=UNITS, linear_before_reset=1)
    h = g.op("Flatten", [g.op("Transpose", ["gru.last"], "rows_first", perm=[1, 0, 2])], "joined", axis=1)
    y = g.op("Relu", [g.dense(h, "feed1", get("dense.1.fn.net.0.weight", both, both).T,
                              get("dense.1.fn.net.0.bias", both))], "feed1.relu")
    y = g.dense(y, "feed2", get("dense.1.fn.net.3.weight", both, both).T, get("dense.1.fn.net.3.bias", both))
    y = g.op("Add", [y, h], "residual")
    g.dense(y, "logits", get("dense.3.weight", 2, both).T, get("dense.3.bias", 2))
    g.output("logits", ["N", 2])
    return g


def main():
    p = argparse.ArgumentParser(description="LRNet's two networks from PyTorch state dicts to ONNX.")
    p.add_argument("--g1", required=True, help="the state dict of the network over landmarks")
    p.add_argument("--g2", required=True, help="the state dict of the network over their differences")
    p.add_argument("-o", "--output", required=True, metavar="FOLDER", help="an existing folder")
    a = p.parse_args()
    for name, path, frames in (("g1", a.g1, 30), ("g2", a.g2, 29)):
        network(read_state(path), frames).save(os.path.join(a.output, f"{name}.onnx"),
                                               "Logits [real, fake]. https://arxiv.org/abs/2104.04480, MIT.")


if __name__ == "__main__":
    run(main)
