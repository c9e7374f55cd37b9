#!/usr/bin/python3
"""MobileNetV1 x 0.25 by fakesift's engine against the same layers in PyTorch.

    check_mobilenet.py --mirror ../shared/zoo --convert models/convert --run "build/fakesift models run"

Twice: a checkpoint of random weights written in the format of the published one, and the published one where the mirror holds
it. PyTorch runs torch.nn's own batch norms; the converter folds them. A checkpoint with a missing and one with a misshapen tensor are
refused in one line.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile

import numpy as np
import torch
from torch import nn

TOLERANCE = 1e-5  # of the largest feature
PLAN = [[(8, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1)],
        [(64, 128, 2)] + 5 * [(128, 128, 1)], [(128, 256, 2), (256, 256, 1)]]


def block(i, o, stride):
    return nn.Sequential(nn.Conv2d(i, i, 3, stride, 1, groups=i, bias=False), nn.BatchNorm2d(i), nn.LeakyReLU(0.1),
                         nn.Conv2d(i, o, 1, bias=False), nn.BatchNorm2d(o), nn.LeakyReLU(0.1))


class MobileNet(nn.Module):
    def __init__(self):
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.LeakyReLU(0.1))
        self.stage1 = nn.Sequential(stem, *[block(*p) for p in PLAN[0]])
        self.stage2 = nn.Sequential(*[block(*p) for p in PLAN[1]])
        self.stage3 = nn.Sequential(*[block(*p) for p in PLAN[2]])
        self.avg = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(256, 1000)

    def forward(self, x):
        return self.avg(self.stage3(self.stage2(self.stage1(x)))).flatten(1)


def random_checkpoint(path, change=lambda state: None):
    torch.manual_seed(5)
    model = MobileNet()
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.uniform_(-0.3, 0.3)
            m.running_var.uniform_(0.3, 2)
            nn.init.uniform_(m.weight, 0.5, 2)
            nn.init.uniform_(m.bias, -0.5, 0.5)
    state = {f"module.{k}": v for k, v in model.state_dict().items()}
    change(state)
    torch.save({"epoch": 1, "arch": "mobilenet", "state_dict": state, "best_acc1": torch.tensor(0.0)}, path)


def convert(a, weights, folder):
    os.makedirs(folder, exist_ok=True)
    return subprocess.run(["/usr/bin/python3", "-B", os.path.join(a.convert, "mobilenet_from_torch.py"), "--weights", weights,
                           "-o", folder], capture_output=True, text=True, check=False)


def compare(a, weights, folder, what):
    done = convert(a, weights, folder)
    if done.returncode:
        sys.exit(f"FAIL {what}: {done.stderr}")
    model = MobileNet()
    state = torch.load(weights, map_location="cpu")["state_dict"]
    model.load_state_dict({k[len("module."):]: v for k, v in state.items()})
    x = np.random.default_rng(3).normal(0, 1, (3, 3, 224, 224)).astype(np.float32)
    with torch.no_grad():
        wanted = model.eval().double()(torch.from_numpy(x).double()).numpy()
    np.save(f"{folder}/x.npy", x)
    subprocess.run(shlex.split(a.run) + [f"{folder}/frame.onnx", "--input", f"{folder}/x.npy", "--output", f"{folder}/y.npy"],
                   check=True)
    got = np.load(f"{folder}/y.npy")
    error = np.abs(got - wanted).max() / np.abs(wanted).max()
    good = got.shape == (3, 256) and error <= TOLERANCE
    print(f"{'ok  ' if good else 'FAIL'} MobileNetV1 x 0.25, {what}: largest relative error {error:.1e}, allowed {TOLERANCE:.0e}")
    return good


class Foreign:
    """Would run code where a pickle is trusted."""

    def __reduce__(self):
        return os.system, ("kill -9 $PPID",)


def refuse(a, work, name, change, text):
    random_checkpoint(f"{work}/{name}.tar", change)
    done = convert(a, f"{work}/{name}.tar", f"{work}/{name}")
    good = done.returncode == 1 and text in done.stderr and done.stderr.count("\n") == 1
    print(f"{'ok  ' if good else 'FAIL'} {name}: {done.stderr.strip()}")
    return good and not os.path.exists(f"{work}/{name}/frame.onnx")


def main():
    p = argparse.ArgumentParser(description="Checks MobileNetV1 x 0.25 against PyTorch.")
    p.add_argument("--mirror", required=True)
    p.add_argument("--convert", required=True)
    p.add_argument("--run", required=True)
    a = p.parse_args()
    with tempfile.TemporaryDirectory(prefix="fakesift-mobilenet-") as work:
        random_checkpoint(f"{work}/random.tar")
        good = compare(a, f"{work}/random.tar", f"{work}/random", "random weights")
        good &= refuse(a, work, "missing", lambda s: s.pop("module.stage2.3.4.bias"),
                       "stage2.3.4.bias: wanted with the shape (128,), found nothing")
        good &= refuse(a, work, "misshapen", lambda s: s.update({"module.stage1.0.0.weight": torch.zeros(8, 3, 5, 5)}),
                       "stage1.0.0.weight: wanted with the shape (8, 3, 3, 3), found (8, 3, 5, 5)")
        good &= refuse(a, work, "foreign", lambda s: s.update({"module.x": Foreign()}), "in a checkpoint: not a tensor")
        published = os.path.join(a.mirror, "mobilenet", "mobilenetV1X0.25_pretrain.tar")
        if os.path.exists(published):
            good &= compare(a, published, f"{work}/published", "the published checkpoint")
        else:
            print(f"skip the published checkpoint: {published} is not there")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
