#!/usr/bin/python3
"""Writes tests/data/networks: small networks exported by PyTorch 1.13 with random weights, an input and PyTorch's output.

    /usr/bin/python3 tests/golden/make_networks.py tests/data/networks

Each NAME.onnx comes with NAME_in<K>.npy and NAME_out<K>.npy. Needs Debian's python3-torch.
"""
import os
import sys

import numpy
import torch
from torch import nn

OUT = sys.argv[1]


def save(name, model, inputs, dynamic=None, opset=13):
    model.eval()
    # Running statistics of batch norms as after some training, so that folding them is not the identity.
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            module.running_mean.normal_(0, 0.5)
            module.running_var.uniform_(0.5, 2)
            nn.init.normal_(module.weight, 1, 0.2)
            nn.init.normal_(module.bias, 0, 0.2)
    with torch.no_grad():
        outputs = model(*inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    names_in = [f"in{i}" for i in range(len(inputs))]
    names_out = [f"out{i}" for i in range(len(outputs))]
    torch.onnx.export(model, inputs, os.path.join(OUT, name + ".onnx"), opset_version=opset, input_names=names_in,
                      output_names=names_out, dynamic_axes=dynamic)
    for names, tensors in ((names_in, inputs), (names_out, outputs)):
        for n, t in zip(names, tensors):
            numpy.save(os.path.join(OUT, f"{name}_{n}.npy"), t.numpy())


class Joint(nn.Module):
    """N x T x C x H x W: a CNN on each frame, an LSTM over time."""

    def __init__(self):
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU6(),
            nn.Conv2d(8, 12, 3, padding=1), nn.LeakyReLU(0.1), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1))
        self.rnn = nn.LSTM(12, 10, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(20, 1)

    def forward(self, x):
        n, t, c, h, w = x.shape
        y = self.cnn(x.view(n * t, c, h, w)).view(n, t, -1)
        y, _ = self.rnn(y)
        return torch.sigmoid(self.head(y.mean(1)))


class Recurrent(nn.Module):
    """A bidirectional GRU whose initial state is an input."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(7, 9, bidirectional=True)

    def forward(self, x, h0):
        y, h = self.rnn(x, h0)
        return y, h


class Block(nn.Module):
    """An inverted residual: pointwise, depthwise with batch norms, squeeze and excitation, a skip."""

    def __init__(self):
        super().__init__()
        self.expand = nn.Sequential(nn.Conv2d(6, 18, 1, bias=False), nn.BatchNorm2d(18), nn.SiLU())
        self.depth = nn.Sequential(nn.Conv2d(18, 18, 5, padding=4, dilation=2, groups=18, bias=False),
                                   nn.BatchNorm2d(18), nn.Hardswish())
        self.squeeze = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(18, 4, 1), nn.ReLU(), nn.Conv2d(4, 18, 1),
                                     nn.Hardsigmoid())
        self.project = nn.Sequential(nn.Conv2d(18, 6, 1, bias=False), nn.BatchNorm2d(6))

    def forward(self, x):
        y = self.depth(self.expand(x))
        return x + self.project(y * self.squeeze(y))


class Shapes(nn.Module):
    """Grouped and strided convolutions, a transposed one, padding, resizing, channel shuffle, softmax."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(4, 8, (3, 5), stride=(2, 1), padding=(1, 2), groups=2)
        self.b = nn.ConvTranspose2d(8, 6, 4, stride=2, padding=1)
        self.p = nn.PReLU(6)

    def forward(self, x):
        y = self.a(nn.functional.pad(x, (1, 2, 3, 0), mode="reflect"))
        n, c, h, w = y.shape
        y = y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        y = self.p(self.b(y))
        y = nn.functional.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
        y = nn.functional.avg_pool2d(y, 3, stride=2, padding=1)
        return torch.softmax(y.flatten(2).permute(0, 2, 1), -1), y[:, ::2, 1:-1].amax(1)


class Attention(nn.Module):
    """One transformer layer over N x T x D."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(16, 16) for _ in range(3))
        self.norm = nn.LayerNorm(16)
        self.mlp = nn.Sequential(nn.Linear(16, 24), nn.GELU(), nn.Linear(24, 16))

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = (f(x).view(n, t, 2, 8).transpose(1, 2) for f in (self.q, self.k, self.v))
        y = torch.softmax(q @ k.transpose(-1, -2) / 8 ** 0.5, -1) @ v
        x = self.norm(x + y.transpose(1, 2).reshape(n, t, d))
        return x + self.mlp(x)


class Video(nn.Module):
    """A 3-D convolution over N x C x T x H x W."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv3d(3, 6, (3, 3, 3), stride=(1, 2, 2), padding=1), nn.BatchNorm3d(6), nn.ReLU(),
                                 nn.MaxPool3d(2), nn.Conv3d(6, 4, 1), nn.AdaptiveAvgPool3d(1), nn.Flatten(),
                                 nn.Linear(4, 2))

    def forward(self, x):
        return self.net(x)


class Old(nn.Module):
    """Slices, squeezes and clips as attributes, up to opset 9."""

    def forward(self, x):
        y = torch.clamp(x[:, 1:, :, 2:], -0.5, 0.75) * x[:, :1, -3:, :-2].mean(2, keepdim=True)
        return torch.cat([y.unsqueeze(1).squeeze(1), y[:, :, 1:2] ** 2], 2)


def main():
    os.makedirs(OUT, exist_ok=True)
    torch.manual_seed(20)
    save("joint", Joint(), (torch.randn(2, 5, 3, 20, 18),), {"in0": {0: "n", 1: "t"}, "out0": {0: "n"}})
    save("gru", Recurrent(), (torch.randn(6, 3, 7), torch.randn(2, 3, 9)),
         {"in0": {0: "t", 1: "n"}, "in1": {1: "n"}, "out0": {0: "t", 1: "n"}, "out1": {1: "n"}})
    save("block", Block(), (torch.randn(3, 6, 13, 11),), {"in0": {0: "n", 2: "h", 3: "w"}, "out0": {0: "n"}}, 14)
    save("shapes", Shapes(), (torch.randn(2, 4, 9, 12),), {"in0": {0: "n"}, "out0": {0: "n"}, "out1": {0: "n"}})
    save("attention", Attention(), (torch.randn(2, 6, 16),), {"in0": {0: "n", 1: "t"}, "out0": {0: "n"}}, 13)
    save("video", Video(), (torch.randn(2, 3, 4, 12, 10),), {"in0": {0: "n"}, "out0": {0: "n"}})
    save("old", Old(), (torch.randn(2, 4, 5, 6),), {"in0": {0: "n"}, "out0": {0: "n"}}, 9)


main()
