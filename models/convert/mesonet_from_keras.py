#!/usr/bin/python3
"""Meso4 and MesoInception-4 (Afchar et al. 2018) from the authors' Keras weights to ONNX.

    mesonet_from_keras.py --weights Meso4_DF.h5 -o FOLDER

Writes FOLDER/frame.onnx: input [N,3,256,256], planar RGB / 255; output p_real [N,1], the probability of REAL.
Which of the two networks it is follows from the number of convolutions. The file's layer names are numbered in the
order of creation, not listed in it, and start anywhere; so layers are taken by kind and number. Keras flattens
(row, column, channel): the first dense layer's rows are reordered to (channel, row, column).
"""

import argparse
import os
import re

import h5py
import numpy as np

from onnx_build import ConversionError, Graph, run

EPSILON = 1e-3  # Keras' default for BatchNormalization


class Layers:
    """The layers of one kind in the order of their numbers; take() gives the next one's arrays."""

    def __init__(self, h5, kind, names):
        pattern = re.compile(rf"^{kind}_(\d+)$")
        found = sorted((int(m.group(1)), m.group(0)) for m in map(pattern.match, h5) if m and len(h5[m.group(0)]))
        self.kind, self.names, self.h5 = kind, names, h5
        self.left = [name for _, name in found]
        self.count = len(found)

    def take(self, *shape):
        """shape: of the first array; None = any."""
        if not self.left:
            raise ConversionError(f"{self.h5.file.filename}: too few layers of the kind {self.kind}")
        name = self.left.pop(0)
        arrays = [np.array(self.h5[f"{name}/{name}/{n}:0"], np.float32) for n in self.names]
        if len(shape) != arrays[0].ndim or any(w not in (None, s) for w, s in zip(shape, arrays[0].shape)):
            raise ConversionError(f"{self.h5.file.filename}: {name} has the shape {arrays[0].shape}, not {shape}")
        return arrays


class Builder:
    def __init__(self, h5, name):
        self.g = Graph(name)
        self.convs = Layers(h5, "conv2d", ["kernel", "bias"])
        self.norms = Layers(h5, "batch_normalization", ["gamma", "beta", "moving_mean", "moving_variance"])
        self.dense = Layers(h5, "dense", ["kernel", "bias"])
        self.h5 = h5

    def conv(self, x, side, dilation=1):
        kernel, bias = self.convs.take(side, side, None, None)
        name = f"conv{self.convs.count - len(self.convs.left)}"
        pad = dilation * (side // 2)
        x = self.g.conv(x, name, kernel.transpose(3, 2, 0, 1), bias, pads=[pad] * 4, dilations=[dilation] * 2)
        return self.g.op("Relu", [x], f"{name}.relu")

    def norm_and_pool(self, x, pool):
        arrays = self.norms.take(None)
        name = f"norm{self.norms.count - len(self.norms.left)}"
        parts = [self.g.constant(f"{name}.{n}", a) for n, a in zip(self.norms.names, arrays)]
        x = self.g.op("BatchNormalization", [x] + parts, name, epsilon=EPSILON)
        return self.g.op("MaxPool", [x], f"{name}.pool", kernel_shape=[pool] * 2, strides=[pool] * 2)

    def inception(self, x):
        branches = [self.conv(x, 1)]
        for dilation in (1, 2, 3):
            branches.append(self.conv(self.conv(x, 1), 3, dilation))
        return self.g.op("Concat", branches, branches[-1] + ".concat", axis=1)

    def head(self, x):
        kernel, bias = self.dense.take(1024, 16)
        kernel = kernel.reshape(8, 8, 16, 16).transpose(2, 0, 1, 3).reshape(1024, 16)
        x = self.g.op("Flatten", [x], "flat", axis=1)
        x = self.g.op("LeakyRelu", [self.g.dense(x, "dense1", kernel, bias)], "leaky", alpha=0.1)
        self.g.op("Sigmoid", [self.g.dense(x, "dense2", *self.dense.take(16, 1))], "p_real")
        self.g.output("p_real", ["N", 1])
        for layers in (self.convs, self.norms, self.dense):
            if layers.left:
                raise ConversionError(f"{self.h5.file.filename}: {layers.left} are no part of the network")


def convert(weights, folder):
    with h5py.File(weights, "r") as h5:
        count = Layers(h5, "conv2d", []).count
        if count not in (4, 16):
            raise ConversionError(f"{weights}: {count} convolutions: neither Meso4 (4) nor MesoInception-4 (16)")
        b = Builder(h5, "meso4" if count == 4 else "mesoinception4")
        x = b.g.input("input", ["N", 3, 256, 256])
        first = [b.inception, b.inception] if count == 16 else [lambda y: b.conv(y, 3), lambda y: b.conv(y, 5)]
        for layer, pool in zip(first + [lambda y: b.conv(y, 5)] * 2, (2, 2, 2, 4)):
            x = b.norm_and_pool(layer(x), pool)
        b.head(x)
    b.g.save(os.path.join(folder, "frame.onnx"), "Input: planar RGB / 255. Output: probability of REAL. "
             "https://arxiv.org/abs/1809.00888, weights Apache-2.0, copyright 2018 the authors of MesoNet.")


def main():
    p = argparse.ArgumentParser(description="Meso4 or MesoInception-4 from Keras weights to ONNX.")
    p.add_argument("--weights", required=True, help="an .h5 file of the authors")
    p.add_argument("-o", "--output", required=True, metavar="FOLDER", help="an existing folder")
    a = p.parse_args()
    convert(a.weights, a.output)


if __name__ == "__main__":
    run(main)
