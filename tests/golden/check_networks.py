#!/usr/bin/python3
"""Whole networks of torchvision and others, exported to ONNX by PyTorch with random weights, run by fakesift's engine.

    check_networks.py --run "build/fakesift models run" --info "build/fakesift models info" [--batch PROGRAM] NAME...

Each network is checked
- plain, at its native size, exported at batch 1 with a symbolic batch and run with two pictures;
- with an LSTM over its features on clips N x T x C x H x W, N and T symbolic;
- `models info`: parameters and multiply-adds beside those that torchvision or the paper state.
An output may be off by 1e-4 of the largest. Outputs must depend on the picture: their deviation between the rows is at least 1 %
of the largest. --bound asks for another bound and prints the mean, too (bf16). Exit status 77: skipped.
"""
import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
import warnings

try:
    import numpy as np
    import torch
    import torchvision
except ImportError as error:
    print(f"skipped: {error}; Debian's python3-torch and python3-torchvision are needed")
    sys.exit(77)
import whole_networks as whole

EXACT = 1e-4
PLAIN_ROWS, CLIPS, FRAMES = 2, 2, 3
# Older and newer forms of the same layers: clips are exported for another operator set than pictures.
OPSETS = {"resnet50": (9, 13), "efficientnet_b4": (14, 11), "mobilenet_v2": (10, 14), "mobilenet_v3_large": (14, 12),
          "densenet121": (11, 9), "inception_v3": (12, 14), "convnext_tiny": (13, 17), "vit_b_16": (14, 17),
          "swin_t": (14, 13), "r3d_18": (13, 14), "xception": (14, 11), "groupscale": (14, 16)}


class Checks:
    def __init__(self, options, folder):
        self.options, self.folder, self.failed = options, folder, 0

    def tell(self, good, text):
        self.failed += not good
        print("ok  " if good else "FAIL", text, flush=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def export(self, name, net, example, axes, opset):
        path = self.path(name + ".onnx")
        # PRESERVE: batch norms stay nodes, for the engine to fold (PyTorch folds them itself otherwise).
        mode = torch.onnx.TrainingMode.PRESERVE if opset % 2 else torch.onnx.TrainingMode.EVAL
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(net, example, path, opset_version=opset, input_names=["x"], output_names=["y"],
                              dynamic_axes={"x": axes, "y": {0: "n"}}, training=mode)
        return path

    def wanted(self, net, x):
        """PyTorch's output in double precision, and how far its single precision is off: how well the question is put."""
        with torch.no_grad():
            single = net(x)
            exact = net.double()(x.double())
        net.float()
        return exact, float((single - exact).abs().max() / exact.abs().max())

    def compare(self, name, path, x, wanted, pytorch):
        source, target = self.path("x.npy"), self.path("y.npy")
        np.save(source, x.numpy())
        start = time.monotonic()
        done = subprocess.run(shlex.split(self.options.run) + [path, "--input", source, "--output", target],
                              stderr=subprocess.PIPE, text=True)
        seconds = time.monotonic() - start
        if done.returncode != 0:
            self.tell(False, f"{name}: {done.stderr.strip()}")
            return
        got, wanted = np.load(target).astype(np.float64), wanted.numpy()
        if got.shape != wanted.shape:
            self.tell(False, f"{name}: {got.shape}, not {wanted.shape}")
            return
        largest = np.abs(wanted).max()
        spread = wanted.std(0).mean() / largest
        worst, mean = np.abs(got - wanted).max() / largest, np.abs(got - wanted).mean() / largest
        bound = self.options.bound or EXACT
        self.tell(worst <= bound and pytorch <= EXACT and spread >= .01 and np.isfinite(largest),
                  f"{name} {list(x.shape)}: off by {worst:.1e} of the largest, {mean:.1e} on average, PyTorch's float32 by {pytorch:.1e} (largest "
                  f"{largest:.3g}, rows differ by {100 * spread:.0f} %), {seconds:.1f} s")

    def info(self, name, path, millions, gmac):
        text = subprocess.run(shlex.split(self.options.info) + [path], capture_output=True, text=True, check=True).stdout
        weights = int(re.search(r"^weights +(\d+)", text, re.M).group(1)) / 1e6
        macs = float(re.search(r"([\d.]+) Mflop", text).group(1)) / 2000
        arena = float(re.search(r"([\d.]+) MiB", text).group(1))
        output = re.search(r"^output +y float32 (\S+)", text, re.M).group(1)
        print(text.strip() if self.options.verbose else f"     {name}: {arena:.1f} MiB of working memory")
        self.tell(output == "[?,400]" if name == "r3d_18" else output == "[?,1000]", f"{name}: its output is {output}")
        if millions is None:
            return
        # A folded batch norm leaves one number a filter of its two. FLOPs count more than multiply-adds.
        self.tell(abs(weights / millions - 1) < .01, f"{name}: {weights:.3f} million weights ({millions} stated)")
        self.tell(abs(macs / gmac - 1) < .05, f"{name}: {macs:.2f} GMAC ({gmac} stated)")

    def plain(self, name):
        make, native, _, millions, gmac = whole.NETWORKS[name]
        frames = [16] if name == "r3d_18" else []
        x = whole.pictures(PLAIN_ROWS, 3, *frames, native, native)
        net = whole.randomise(make(native), x)
        wanted, pytorch = self.wanted(net, x)
        path = self.export(name, net, x[:1], {0: "n"}, OPSETS[name][0])
        self.info(name, path, millions, gmac)
        self.compare(name, path, x, wanted, pytorch)
        os.remove(path)

    def clips(self, name):
        make, _, small, _, _ = whole.NETWORKS[name]
        net = make(small)
        x = whole.pictures(CLIPS, FRAMES if name != "r3d_18" else 6, 3, small, small)
        if name == "r3d_18":
            net = whole.Recurrent(whole.PreNormVideo(whole.randomise(net, x.transpose(1, 2))), 512, per_clip=True)
        else:
            width = whole.headless(net)
            net = whole.Recurrent(whole.randomise(net, x.flatten(0, 1)), width)
        net.eval()
        wanted, pytorch = self.wanted(net, x)
        path = self.export(name + "_lstm", net, x[:1, :2] if name != "r3d_18" else x[:1], {0: "n", 1: "t"}, OPSETS[name][1])
        self.compare(name + "_lstm", path, x, wanted, pytorch)
        os.remove(path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", required=True)
    parser.add_argument("--info", required=True)
    parser.add_argument("--bound", type=float)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--only", choices=("plain", "clips"))
    parser.add_argument("names", nargs="+", choices=sorted(whole.NETWORKS))
    options = parser.parse_args()
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory(prefix="networks") as folder:
        checks = Checks(options, folder)
        for name in options.names:
            for kind in ("plain", "clips"):
                if options.only in (None, kind):
                    torch.manual_seed(20)
                    getattr(checks, kind)(name)
    if checks.failed:
        print(f"{checks.failed} failed")
    sys.exit(1 if checks.failed else 0)


main()
