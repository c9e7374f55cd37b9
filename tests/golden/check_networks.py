#!/usr/bin/python3
"""Whole networks of torchvision and others, exported to ONNX by PyTorch with random weights, run by fakesift's engine.

    check_networks.py --fakesift build/fakesift [--kinds plain,clips,batch,packed] [--engines onednn,openblas,bf16] NAME...

plain   at its native size, exported at batch 1 with a symbolic batch and run with two pictures; `models info`: parameters and
        multiply-adds beside those that torchvision or the paper state
clips   with an LSTM over its features on clips N x T x C x H x W, N and T symbolic, against PyTorch in double precision
batch   the bits of a clip's row wherever it stands in a batch, whoever stands beside it, and alone
packed  recurrent layers over sequences of several lengths, as PyTorch packs them
An output may be off by 1e-4 of the largest; in bf16, where it depends on the network, by twice what PyTorch is off when it rounds
weights and each layer's result to bf16 (on average by 1.5 times; clips have four numbers, too few for an average, which may be off 4 times as much). Outputs must depend on the picture: their deviation between the
rows is at least 1 % of the largest. Exit status 77: skipped.
"""
import argparse
import os
import re
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
BF16_WORST, BF16_MEAN, BF16_FEW = 2, 1.5, 4
PLAIN_ROWS, CLIPS, FRAMES = 2, 2, 3
ROWS = 16
ENGINES = {"onednn": ["--backend", "onednn"], "openblas": ["--backend", "openblas"], "native": ["--backend", "native"],
           "bf16": ["--backend", "onednn", "--precision", "bf16"]}
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

    def run(self, name, engine, path, *inputs):
        """The first output; None and a failure told when the engine refuses."""
        sources, target = [self.path(f"x{i}.npy") for i in range(len(inputs))], self.path("y.npy")
        for source, x in zip(sources, inputs):
            np.save(source, x)
        arguments = [word for source in sources for word in ("--input", source)]
        done = subprocess.run([self.options.fakesift, "models", "run", path, *arguments, "--output", target,
                               *ENGINES[engine]], stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            self.tell(False, f"{name}: {done.stderr.strip()}")
            return None
        return np.load(target)

    def compare(self, name, path, x, wanted, net):
        """net is spent: its weights are rounded for bf16."""
        exact = wanted.double().numpy()
        largest = np.abs(exact).max()
        spread = exact.std(0).mean() / largest
        self.tell(spread >= .01 and np.isfinite(largest), f"{name}: the largest is {largest:.3g}, rows differ by {100 * spread:.0f} %")
        for engine in self.options.engines:
            got = self.run(name, engine, path, x.numpy())
            if got is None or got.shape != exact.shape:
                self.tell(False, f"{name}: {got if got is None else got.shape}, not {exact.shape}")
                continue
            off = np.abs(got - exact) / largest
            good, note = off.max() <= EXACT, ""
            if engine == "bf16":
                with torch.no_grad():
                    rounded = np.abs(whole.round_to_bf16(net.float())(x).numpy() - exact) / largest
                few = off.size < 100
                good = off.max() <= (BF16_FEW if few else BF16_WORST) * rounded.max() and \
                    (few or off.mean() <= BF16_MEAN * rounded.mean())
                note = f"; PyTorch's rounding {rounded.max():.1e}, {rounded.mean():.1e}"
            self.tell(good, f"{name} {list(x.shape)} {engine}: off by {off.max():.1e} of the largest, {off.mean():.1e} on average"
                            + note)

    def info(self, name, path, millions, gmac):
        text = subprocess.run([self.options.fakesift, "models", "info", path], capture_output=True, text=True,
                              check=True).stdout
        weights = int(re.search(r"^weights +(\d+)", text, re.M).group(1)) / 1e6
        macs = float(re.search(r"([\d.]+) Mflop", text).group(1)) / 2000
        arena = float(re.search(r"([\d.]+) MiB", text).group(1))
        output = re.search(r"^output +y float32 (\S+)", text, re.M).group(1)
        print(text.strip() if self.options.verbose else f"     {name}: {arena:.1f} MiB of working memory")
        self.tell(output == "[?,400]" if name == "r3d_18" else output == "[?,1000]", f"{name}: its output is {output}")
        if millions is None:
            return
        # A folded batch norm leaves one number a filter of its two, DenseNet's unfolded ones hold statistics, too (+.8 %), Swin's
        # tables of relative positions are laid out for each pair (+308,544, 1.1 %). FLOPs count more than multiply-adds.
        self.tell(abs(weights / millions - 1) < .012, f"{name}: {weights:.3f} million weights ({millions} stated)")
        self.tell(abs(macs / gmac - 1) < .05, f"{name}: {macs:.2f} GMAC ({gmac} stated)")

    def plain(self, name):
        make, native, _, millions, gmac = whole.NETWORKS[name]
        frames = [16] if name == "r3d_18" else []
        x = whole.pictures(PLAIN_ROWS, 3, *frames, native, native)
        net = whole.randomise(make(native), x)
        with torch.no_grad():
            wanted = net(x)
        path = self.export(name, net, x[:1], {0: "n"}, OPSETS[name][0])
        self.info(name, path, millions, gmac)
        self.compare(name, path, x, wanted, net)
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
        with torch.no_grad():
            wanted = net(x)
        path = self.export(name + "_lstm", net, x[:1, :2] if name != "r3d_18" else x[:1], {0: "n", 1: "t"}, OPSETS[name][1])
        # How far PyTorch's single precision is off tells how well the question is put.
        with torch.no_grad():
            exact = net.double()(x.double())
        mine = float((wanted - exact).abs().max() / exact.abs().max())
        self.tell(mine <= EXACT, f"{name}_lstm: PyTorch's float32 is off by {mine:.1e}")
        self.compare(name + "_lstm", path, x, exact, net)
        os.remove(path)

    def batch(self, name):
        make, _, small, _, _ = whole.NETWORKS[name]
        clips = whole.pictures(ROWS, 2, 3, *([2] if name == "r3d_18" else []), small, small)
        net = whole.Recurrent(whole.randomise(make(small), clips[:8].flatten(0, 1)), 400 if name == "r3d_18" else 1000).eval()
        path = self.export(name, net, clips[:1], {0: "n"}, 14)
        clips = clips.numpy()
        rng = np.random.default_rng(20)
        order = rng.permutation(ROWS)
        for engine in self.options.engines:
            together = self.run(name, engine, path, clips)
            permuted = self.run(name, engine, path, clips[order])
            if together is None or permuted is None:
                continue
            same = np.array_equal(bits(permuted), bits(together[order]))
            for row, few in ((3, 1), (12, 5)):
                others = rng.standard_normal(clips[:few].shape).astype(np.float32)
                for i in range(few):
                    others[i] = (0 * others[i], 1e4 * others[i], -3e3 * others[i].clip(0), others[i], 1 + 0 * others[i])[i]
                others[few // 2] = clips[row]
                got = self.run(name, engine, path, others)
                same = same and got is not None and np.array_equal(bits(got)[few // 2], bits(together)[row])
            # Or the same bits would mean nothing.
            varied = len(np.unique(bits(together), axis=0)) == ROWS
            self.tell(same and varied, f"{name}_lstm {list(clips.shape)} {engine}: rows permuted, among others, alone: "
                                       f"{'the same' if same else 'OTHER'} bits")
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
            got = self.run(name, "onednn", path, x.numpy(), lengths.numpy())
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
    return a.reshape(len(a), -1).view(np.uint32)


def usable(engines):
    """bf16 needs a processor that has it."""
    with open("/proc/cpuinfo") as f:
        flags = f.read()
    left_out = [e for e in engines if (e == "bf16" and "avx512_bf16" not in flags) or (e == "onednn" and "avx2" not in flags)]
    for engine in left_out:
        print(f"skipped on this processor: {engine}")
    return [e for e in engines if e not in left_out]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fakesift", required=True)
    parser.add_argument("--kinds", default="plain,clips")
    parser.add_argument("--engines", default="onednn,openblas,bf16")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    options.engines = usable(options.engines.split(","))
    torch.set_num_threads(1)
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
