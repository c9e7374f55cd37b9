#!/usr/bin/python3
"""MobileNetV1 x 0.25 (ImageNet) from a PyTorch checkpoint to ONNX, as a network that gives features of a picture.

    mobilenet_from_torch.py --weights mobilenetV1X0.25_pretrain.tar -o FOLDER

Writes FOLDER/frame.onnx: input [N,3,224,224] (RGB / 255, ImageNet's mean and deviation), output features [N,256], the mean over
the last layer's map. The checkpoint's classifier (fc) is left out.
The checkpoint: {"state_dict": ...} with "module." before each name; three stages of blocks. Batch norms are folded into the
convolutions before them, in double precision; activations are LeakyReLU of 0.1, which the names do not tell.
"""

import argparse
import os
import pickle

import numpy as np
import torch
from torch import serialization

from onnx_build import ConversionError, Graph, run

# Channels in, out and the stride of the depthwise convolution, by stage.
STAGES = [
    [(8, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1)],
    [(64, 128, 2), (128, 128, 1), (128, 128, 1), (128, 128, 1), (128, 128, 1), (128, 128, 1)],
    [(128, 256, 2), (256, 256, 1)],
]
SLOPE, EPSILON, SIDE = 0.1, 1e-5, 224


class Plain(pickle.Unpickler):
    """Tensors and plain values; nothing that would run code. (weights_only of PyTorch 1.13 does not know floats, which the
    checkpoint's optimizer holds.)"""

    def find_class(self, module, name):
        if (module, name) in {("collections", "OrderedDict"), ("torch._utils", "_rebuild_tensor_v2"),
                              ("torch", "FloatStorage"), ("torch", "LongStorage")}:
            return super().find_class(module, name)
        raise ConversionError(f"{module}.{name} in a checkpoint: not a tensor")


class PlainPickle:
    """What torch's loaders ask of a pickle module."""

    Unpickler = Plain

    @staticmethod
    def load(file, **options):
        return Plain(file, **options).load()


def load_plain(path):
    """torch.load of PyTorch 1.13 puts pickle itself in the place of any pickle_module; the loaders below it do not."""
    with open(path, "rb") as f:
        if serialization._is_zipfile(f):
            with serialization._open_zipfile_reader(f) as z:
                return serialization._load(z, "cpu", PlainPickle, encoding="utf-8")
        return serialization._legacy_load(f, "cpu", PlainPickle, encoding="utf-8")


def read_state(path):
    try:
        checkpoint = load_plain(path)
    except (pickle.UnpicklingError, EOFError, RuntimeError) as e:
        raise ConversionError(f"{path}: not a PyTorch checkpoint: {e}") from None
    state = checkpoint.get("state_dict", checkpoint) if isinstance(checkpoint, dict) else None
    if not isinstance(state, dict):
        raise ConversionError(f"{path}: holds no state dict")
    return {k[7:] if k.startswith("module.") else k: v.double().numpy() for k, v in state.items()
            if isinstance(v, torch.Tensor)}


class Builder:
    def __init__(self, state):
        self.state, self.g = state, Graph("mobilenet-v1-0.25")

    def get(self, name, *shape):
        if name not in self.state or self.state[name].shape != shape:
            raise ConversionError(f"{name}: wanted with the shape {shape}, found "
                                  f"{self.state[name].shape if name in self.state else 'nothing'}")
        return self.state[name]

    def conv(self, x, block, first, shape, **attributes):
        """The convolution `first` of a block with the batch norm and the activation behind it."""
        norm = [self.get(f"{block}.{first + 1}.{n}", shape[0]) for n in ("weight", "bias", "running_mean", "running_var")]
        scale = norm[0] / np.sqrt(norm[3] + EPSILON)
        weights = self.get(f"{block}.{first}.weight", *shape) * scale.reshape(-1, 1, 1, 1)
        name = f"{block}.{first}"
        x = self.g.conv(x, name, weights, norm[1] - norm[2] * scale, **attributes)
        return self.g.op("LeakyRelu", [x], f"{name}.relu", alpha=SLOPE)

    def build(self):
        x = self.conv(self.g.input("input", ["N", 3, SIDE, SIDE]), "stage1.0", 0, (8, 3, 3, 3), pads=[1] * 4,
                      strides=[2, 2])
        for i, blocks in enumerate(STAGES, 1):
            for k, (inside, outside, stride) in enumerate(blocks, 1 if i == 1 else 0):
                x = self.conv(x, f"stage{i}.{k}", 0, (inside, 1, 3, 3), pads=[1] * 4, strides=[stride] * 2, group=inside)
                x = self.conv(x, f"stage{i}.{k}", 3, (outside, inside, 1, 1))
        self.g.op("Flatten", [self.g.op("GlobalAveragePool", [x], "pool")], "features", axis=1)
        self.g.output("features", ["N", 256])
        return self.g


def main():
    p = argparse.ArgumentParser(description="MobileNetV1 x 0.25 from a PyTorch checkpoint to ONNX.")
    p.add_argument("--weights", required=True, help="the checkpoint")
    p.add_argument("-o", "--output", required=True, metavar="FOLDER", help="an existing folder")
    a = p.parse_args()
    Builder(read_state(a.weights)).build().save(os.path.join(a.output, "frame.onnx"),
                                                "Features of MobileNetV1 x 0.25. https://arxiv.org/abs/1704.04861")


if __name__ == "__main__":
    run(main)
