#!/usr/bin/python3
"""The networks that bench/infer times: well-known architectures with random weights, as PyTorch modules and as ONNX files.

    bench/infer/networks.py FOLDER NAME...       writes FOLDER/NAME.onnx (NAME-bN.onnx where a batch is fixed), NAME.pt

Weights are drawn with a fixed seed, and each batch norm takes its statistics from one batch of noise, so that activations
keep the size that a trained network gives them. Speed does not depend on the weights; the agreement of the outputs does.
"""
import argparse
import os
import sys

import numpy
import torch
from torch import nn

import quantize


class SeparableConv(nn.Module):
    def __init__(self, n_in, n_out, relu_first=True):
        super().__init__()
        self.relu_first = relu_first
        self.depthwise = nn.Conv2d(n_in, n_in, 3, padding=1, groups=n_in, bias=False)
        self.pointwise = nn.Conv2d(n_in, n_out, 1, bias=False)
        self.norm = nn.BatchNorm2d(n_out)

    def forward(self, x):
        if self.relu_first:
            x = torch.relu(x)
        return self.norm(self.pointwise(self.depthwise(x)))


class XceptionBlock(nn.Module):
    def __init__(self, n_in, n_out, repeats, stride, relu_first=True, grow_first=True):
        super().__init__()
        layers = []
        for i in range(repeats):
            width_in = n_in if i == 0 or (not grow_first and i < repeats) else n_out
            width_out = n_out if grow_first or i == repeats - 1 else n_in
            layers.append(SeparableConv(width_in, width_out, relu_first or i > 0))
        if stride != 1:
            layers.append(nn.MaxPool2d(3, stride, 1))
        self.body = nn.Sequential(*layers)
        self.skip = None
        if stride != 1 or n_in != n_out:
            self.skip = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))

    def forward(self, x):
        return self.body(x) + (self.skip(x) if self.skip else x)


class Xception(nn.Module):
    """Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", 2017, figure 5; with the padding that
    FaceForensics++ and DeepfakeBench use."""

    def __init__(self, classes=2):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 0, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
                                  nn.Conv2d(32, 64, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU())
        blocks = [XceptionBlock(64, 128, 2, 2, relu_first=False), XceptionBlock(128, 256, 2, 2), XceptionBlock(256, 728, 2, 2)]
        blocks += [XceptionBlock(728, 728, 3, 1) for _ in range(8)]
        blocks.append(XceptionBlock(728, 1024, 2, 2, grow_first=False))
        self.blocks = nn.Sequential(*blocks)
        self.exit = nn.Sequential(SeparableConv(1024, 1536, False), nn.ReLU(), SeparableConv(1536, 2048, False), nn.ReLU())
        self.head = nn.Linear(2048, classes)

    def forward(self, x):
        x = self.exit(self.blocks(self.stem(x)))
        return self.head(torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1))


class Meso4(nn.Module):
    """Afchar et al., "MesoNet: a Compact Facial Video Forgery Detection Network", 2018."""

    def __init__(self):
        super().__init__()

        def block(n_in, n_out, kernel, pool):
            return [nn.Conv2d(n_in, n_out, kernel, padding=kernel // 2), nn.ReLU(), nn.BatchNorm2d(n_out), nn.MaxPool2d(pool, pool)]

        self.body = nn.Sequential(*block(3, 8, 3, 2), *block(8, 8, 5, 2), *block(8, 16, 5, 2), *block(16, 16, 5, 4))
        self.head = nn.Sequential(nn.Linear(16 * 8 * 8, 16), nn.LeakyReLU(0.1), nn.Linear(16, 1), nn.Sigmoid())

    def forward(self, x):
        return self.head(torch.flatten(self.body(x), 1))


class Recurrent(nn.Module):
    """32 steps through one recurrent layer and a classifier of its last state, as detectors have behind a frame network."""

    def __init__(self, kind, width, hidden=256):
        super().__init__()
        self.layer = kind(width, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x):
        return self.head(self.layer(x)[0][:, -1])


class Peak(nn.Module):
    """One product of 2048 x 2048 by 2048 x 1024: what the machine reaches when nothing but its matrix product runs. As a
    convolution, so that each backend hands it to the product that its convolutions use."""

    def __init__(self):
        super().__init__()
        self.product = nn.Conv2d(2048, 2048, 1, bias=False)

    def forward(self, x):
        return self.product(x)


def torchvision_model(name):
    def make():
        import torchvision
        return getattr(torchvision.models, name)(weights=None)
    return make


# name: (how to make it, its input without the batch, whether one file serves every batch)
NETWORKS = {
    "resnet50": (torchvision_model("resnet50"), (3, 224, 224), True),
    "efficientnet_b4": (torchvision_model("efficientnet_b4"), (3, 380, 380), True),
    "mobilenet_v2": (torchvision_model("mobilenet_v2"), (3, 224, 224), True),
    "densenet121": (torchvision_model("densenet121"), (3, 224, 224), True),
    "xception": (Xception, (3, 299, 299), True),
    "meso4": (Meso4, (3, 256, 256), True),
    "vit_b_16": (torchvision_model("vit_b_16"), (3, 224, 224), False),
    "swin_t": (torchvision_model("swin_t"), (3, 224, 224), False),
    "gru256": (lambda: Recurrent(nn.GRU, 256), (32, 256), False),
    "lstm256": (lambda: Recurrent(nn.LSTM, 256), (32, 256), False),
    "gru256_1280": (lambda: Recurrent(nn.GRU, 1280), (32, 1280), False),
    "lstm256_1280": (lambda: Recurrent(nn.LSTM, 1280), (32, 1280), False),
    "peak": (Peak, (2048, 32, 32), True),
    # Of bytes; no PyTorch module.
    "resnet50_int8": (None, (3, 224, 224), True),
    "peak_int8": (None, (2048, 32, 32), True),
}

# Quantized by quantize.py from another of these: QLinearConv everywhere.
QUANTIZED = {"resnet50_int8": "resnet50"}


def make(name):
    """The module, in eval mode, with the weights that its ONNX file has."""
    build, shape, _ = NETWORKS[name]
    torch.manual_seed(7)
    net = build()
    for m in net.modules():
        if isinstance(m, nn.Linear) and not m.weight.any():
            nn.init.normal_(m.weight, std=0.02)  # torchvision begins some heads with zeros, which would hide any error
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    if norms:
        for m in norms:
            m.momentum = None  # the plain mean of what it has seen
        for m in net.modules():
            if isinstance(m, nn.Dropout):
                m.p = 0.0
        net.train()
        with torch.no_grad():
            net(torch.randn(4, *shape))
    return net.eval()


def load(folder, name):
    """What export() wrote, as a module."""
    net = NETWORKS[name][0]()
    net.load_state_dict(torch.load(os.path.join(folder, f"{name}.pt")))
    return net.eval()


def example(name, batch):
    """The input that every engine is given: float32, C order; bytes for the bare product of bytes."""
    if name == "peak_int8":
        return numpy.random.default_rng(11).integers(0, 256, (batch, *NETWORKS[name][1]), dtype=numpy.uint8)
    return numpy.random.default_rng(11).standard_normal((batch, *NETWORKS[name][1]), dtype=numpy.float32)


def onnx_path(folder, name, batch):
    return os.path.join(folder, f"{name}.onnx" if NETWORKS[name][2] else f"{name}-b{batch}.onnx")


def save_peak_of_bytes(path):
    """The product of Peak, of bytes that come and go as they are."""
    import onnx
    from onnx import helper, numpy_helper
    n, shape = 2048, NETWORKS["peak_int8"][1]
    weights = numpy.random.default_rng(3).integers(-127, 128, (n, shape[0], 1, 1), dtype=numpy.int8)
    constants = {"s": numpy.float32(0.01), "xz": numpy.uint8(0), "w": weights, "wz": numpy.int8(0), "ys": numpy.float32(20),
                 "yz": numpy.uint8(128)}
    value = helper.make_tensor_value_info
    node = helper.make_node("QLinearConv", ["x", "s", "xz", "w", "s", "wz", "ys", "yz"], ["y"])
    graph = helper.make_graph([node], "peak", [value("x", 2, ["N", *shape])], [value("y", 2, ["N", n, *shape[1:]])],
                              [numpy_helper.from_array(numpy.asarray(v), k) for k, v in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), path)


def export(folder, name, batches):
    """Writes what is not there yet: the ONNX files, and the weights for PyTorch itself."""
    path = onnx_path(folder, name, batches[0])
    if NETWORKS[name][0] is None:
        if os.path.exists(path):
            return
        if name in QUANTIZED:
            base = QUANTIZED[name]
            export(folder, base, batches)
            quantize.quantize(onnx_path(folder, base, batches[0]), path + ".part", example(base, 1))
        else:
            save_peak_of_bytes(path + ".part")
        os.rename(path + ".part", path)
        return
    weights = os.path.join(folder, f"{name}.pt")
    if not os.path.exists(weights):
        torch.save(make(name).state_dict(), weights + ".part")
        os.rename(weights + ".part", weights)
    for batch in batches[:1] if NETWORKS[name][2] else batches:
        path = onnx_path(folder, name, batch)
        if os.path.exists(path):
            continue
        net = load(folder, name)
        options = {"dynamic_axes": {"x": {0: "N"}, "y": {0: "N"}}} if NETWORKS[name][2] else {}
        x = torch.from_numpy(example(name, 2 if options else batch))
        torch.onnx.export(net, x, path + ".part", input_names=["x"], output_names=["y"], opset_version=13, **options)
        os.rename(path + ".part", path)


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("folder")
    a.add_argument("names", nargs="+", choices=NETWORKS)
    a.add_argument("--batches", default="1,16", help="for the files that fix theirs")
    a.add_argument("--input", type=int, metavar="BATCH", help="only write the input that every engine is given, NAME-bBATCH.npy")
    a = a.parse_args()
    os.makedirs(a.folder, exist_ok=True)
    torch.set_num_threads(1)
    for name in a.names:
        if a.input:
            numpy.save(os.path.join(a.folder, f"{name}-b{a.input}.npy"), example(name, a.input))
        else:
            export(a.folder, name, [int(b) for b in a.batches.split(",")])


if __name__ == "__main__":
    sys.exit(main())
