#!/usr/bin/env python3
"""Exports two small detectors with random weights from PyTorch, each with a card written by hand.

    /usr/bin/python3 tests/golden/make_detectors.py tests/data/detectors

tiny-lstm: one joint network, frames x 3 x 64 x 64 -> convolutions -> LSTM -> logit. What a researcher would export.
tiny-gru: a frame network (features) and a bidirectional GRU over them, as two files.
tests/process/check_detectors.py runs the same modules in PyTorch on frames that the ffmpeg program decodes.
"""
import os
import sys

import torch
from torch import nn

FRAMES = 8
SIDE = 64


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8, bias=False), nn.BatchNorm2d(8), nn.Hardswish(),
            nn.Conv2d(8, 16, 1), nn.BatchNorm2d(16), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, x):
        return self.layers(x)


class Joint(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = Convolutions()
        self.lstm = nn.LSTM(16, 12, batch_first=True)
        self.head = nn.Linear(12, 1)

    def forward(self, x):
        n, t = x.shape[:2]
        f = self.features(x.reshape(n * t, *x.shape[2:])).reshape(n, t, -1)
        return self.head(self.lstm(f)[0][:, -1])


class Temporal(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(16, 10, batch_first=True, bidirectional=True)
        self.head = nn.Linear(20, 2)

    def forward(self, x):
        return self.head(self.gru(x)[0].mean(dim=1))


def awaken(module):
    """Random running statistics, so that a forgotten batch norm would show, and weights that spread the output."""
    for m in module.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.uniform_(-0.2, 0.2)
            m.running_var.uniform_(0.5, 2)
            m.weight.data.uniform_(0.5, 2)
            m.bias.data.uniform_(-0.5, 0.5)
        if isinstance(m, (nn.LSTM, nn.GRU, nn.Linear)):
            for p in m.parameters():
                p.data.mul_(4)
    return module.eval()


def make():
    """(joint, frame, temporal), the same weights at each call."""
    torch.manual_seed(20261123)
    return awaken(Joint()), awaken(Convolutions()), awaken(Temporal())


def main():
    out = sys.argv[1]
    joint, frame, temporal = make()
    exports = [
        (joint, torch.zeros(1, FRAMES, 3, SIDE, SIDE), "tiny-lstm/joint.onnx", {"x": {0: "n"}}),
        (frame, torch.zeros(1, 3, SIDE, SIDE), "tiny-gru/frame.onnx", {"x": {0: "n"}}),
        (temporal, torch.zeros(1, FRAMES, 16), "tiny-gru/temporal.onnx", {"x": {0: "n"}}),
    ]
    for module, example, name, axes in exports:
        path = os.path.join(out, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        torch.onnx.export(module, example, path, opset_version=13, input_names=["x"], output_names=["y"],
                          dynamic_axes=axes)


if __name__ == "__main__":
    main()
