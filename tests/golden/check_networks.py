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
ROWS = 16
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

    def run(self, name, path, *inputs):
        """The first output; None and a failure told when the engine refuses."""
        sources, target = [self.path(f"x{i}.npy") for i in range(len(inputs))], self.path("y.npy")
        for source, x in zip(sources, inputs):
            np.save(source, x)
        arguments = [word for source in sources for word in ("--input", source)]
        done = subprocess.run(shlex.split(self.options.run) + [path, *arguments, "--output", target],
                              stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            self.tell(False, f"{name}: {done.stderr.strip()}")
            return None
        return np.load(target)

    def compare(self, name, path, x, wanted, pytorch):
        start = time.monotonic()
        got = self.run(name, path, x.numpy())
        seconds = time.monotonic() - start
        if got is None:
            return
        got, wanted = got.astype(np.float64), wanted.numpy()
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

    def batch(self, name):
        """A row's bits are the same wherever it stands, and whoever stands beside it."""
        make, _, small, _, _ = whole.NETWORKS[name]
        frames = [2] if name == "r3d_18" else []
        x = whole.pictures(ROWS, 3, *frames, small, small)
        net = whole.randomise(make(small), x)
        clips = whole.Recurrent(net, 400 if name == "r3d_18" else 1000).eval()
        clip = x.unflatten(0, (ROWS // 2, 2))
        for kind, module, rows in (("", net, x), ("_lstm", clips, clip)):
            name = name + kind
            path = self.export(name, module, rows[:1], {0: "n"}, 14)
            rows = rows.numpy()
            rng = np.random.default_rng(20)
            order = rng.permutation(len(rows))
            alone = rng.choice(len(rows), 3, replace=False)
            together = self.run(name, path, rows)
            permuted = self.run(name, path, rows[order])
            if together is None or permuted is None:
                continue
            same = np.array_equal(bits(permuted), bits(together[order]))
            same = same and len(np.unique(bits(together), axis=0)) == len(rows)
            for row in alone:
                others = rng.standard_normal(rows[:5].shape).astype(np.float32)
                others[0], others[1], others[2] = 0, 1e4 * others[1], -others[2].clip(0) * 3e3
                at = rng.integers(5)
                others[at] = rows[row]
                for few in (others, rows[row:row + 1]):
                    got = self.run(name, path, few)
                    same = same and got is not None and np.array_equal(bits(got[at if len(few) > 1 else 0]), bits(together[row]))
            self.tell(same, f"{name} {list(rows.shape)}: rows permuted, among others and alone: "
                            + ("the same bits" if same else "other bits"))
            os.remove(path)

    def packed(self):
        """Sequences of several lengths behind PyTorch's packing, all three layers; the lengths are the run's (PyTorch writes the
        batch of a packed sequence down as a constant)."""
        torch.manual_seed(20)
        for layer, opset in ((torch.nn.RNN, 9), (torch.nn.GRU, 13), (torch.nn.LSTM, 14)):
            name = "packed_" + layer.__name__.lower()
            net = Packed(layer).eval()
            path = self.path(name + ".onnx")
            x, lengths = torch.randn(5, 9, 12), torch.tensor([9, 9, 7, 4, 1])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                torch.onnx.export(net, (x, lengths.new_tensor([9, 8, 8, 8, 2])), path, opset_version=opset,
                                  input_names=["x", "n"], output_names=["y"])
            got = self.run(name, path, x.numpy(), lengths.numpy())
            with torch.no_grad():
                wanted = net.double()(x.double(), lengths).numpy()
            if got is not None:
                worst = np.abs(got - wanted).max()
                self.tell(got.shape == wanted.shape and worst <= 1e-5, f"{name}: off by {worst:.1e}")


class Packed(torch.nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.rnn = layer(12, 21, num_layers=2, batch_first=True, bidirectional=True)

    def forward(self, x, lengths):
        y = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
        y, last = self.rnn(y)
        y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True)
        return torch.cat([y.sum(1), (last[0] if isinstance(last, tuple) else last).transpose(0, 1).flatten(1)], 1)


def bits(a):
    return a.reshape(len(a), -1).view(np.uint32) if a.ndim > 1 else a.view(np.uint32)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", required=True)
    parser.add_argument("--info", required=True)
    parser.add_argument("--bound", type=float)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--kinds", default="plain,clips", help="of plain, clips, batch, packed")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory(prefix="networks") as folder:
        checks = Checks(options, folder)
        kinds = options.kinds.split(",")
        for name in options.names:
            for kind in kinds:
                if kind != "packed":
                    torch.manual_seed(20)
                    getattr(checks, kind)(name)
        if "packed" in kinds:
            checks.packed()
    if checks.failed:
        print(f"{checks.failed} failed")
    sys.exit(1 if checks.failed else 0)


main()
