#!/usr/bin/python3
"""models/convert/export_torch.py: a checkpoint to an installed network whose outputs are PyTorch's; and what it refuses.

    check_export.py FAKESIFT SOURCE_FOLDER
"""
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch

TOLERANCE = 1e-5
MODEL = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 7, stride=6), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=4), nn.ReLU())
        self.head = nn.Linear(8, 1)

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))

class Two(Net):
    def forward(self, x):
        return {"score": super().forward(x)}

def clip():
    class Clip(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(3, 5, batch_first=True, bidirectional=True)
            self.head = nn.Linear(10, 1)
        def forward(self, x):
            return self.head(self.gru(x.mean((3, 4)))[0][:, -1])
    return Clip()
"""


class Foreign:
    def __reduce__(self):
        return os.system, ("kill -9 $PPID",)


def main():
    fakesift, source = sys.argv[1:]
    good = True
    with tempfile.TemporaryDirectory(prefix="fakesift-export-") as work:
        os.environ["FAKESIFT_CACHE"] = f"{work}/cache"
        with open(f"{work}/model.py", "w", encoding="utf-8") as f:
            f.write(MODEL)
        sys.path.insert(0, work)
        import model

        def export(card, what, *arguments):
            return subprocess.run(["/usr/bin/python3", "-B", f"{source}/models/convert/export_torch.py", "--model", what, "--card",
                                   f"{source}/models/cards/{card}/card.json", "-o", f"{work}/out.onnx", *arguments],
                                  capture_output=True, text=True, check=False)

        def tell(fine, text):
            nonlocal good
            good &= bool(fine)
            print(f"{'ok  ' if fine else 'FAIL'} {text}")

        torch.manual_seed(3)
        net = model.Net()
        torch.save({"epoch": 3, "model": {f"module.{k}": v for k, v in net.state_dict().items()}}, f"{work}/good.pt")
        for card, what, weights in (("recce", "Net", ["--weights", f"{work}/good.pt"]), ("sabir-resnet50", "clip", [])):
            done = export(card, f"{work}/model.py:{what}", *weights)
            if done.returncode:
                tell(False, f"{card}: {done.stderr}")
                continue
            subprocess.run([fakesift, "models", "add", card, f"{work}/out.onnx"], check=True, stdout=subprocess.DEVNULL)
            subprocess.run([fakesift, "models", "run", f"{work}/cache/{card}/{card}.onnx", "--input", f"{work}/out.input.npy", "--output",
                            f"{work}/y.npy"], check=True)
            wanted = np.load(f"{work}/out.output.npy")
            if weights:
                with torch.no_grad():
                    assert np.abs(net.eval()(torch.from_numpy(np.load(f"{work}/out.input.npy"))).numpy() - wanted).max() < 1e-6
            error = np.abs(np.load(f"{work}/y.npy") - wanted).max()
            tell(error <= TOLERANCE, f"{card}: off by {error:.1e}, allowed {TOLERANCE:.0e}")

        def refuse(text, what, *arguments):
            done = export("recce", what, *arguments)
            tell(done.returncode == 1 and text in done.stderr and done.stderr.count("\n") == 1, done.stderr.strip() or "nothing was said")

        state = net.state_dict()
        torch.save({k: v for k, v in state.items() if k != "head.bias"}, f"{work}/missing.pt")
        torch.save({**state, "head.weight": torch.zeros(2, 8)}, f"{work}/shape.pt")
        torch.save({"model": state, "extra": Foreign()}, f"{work}/foreign.pt")
        refuse("lacks ['head.bias']", f"{work}/model.py:Net", "--weights", f"{work}/missing.pt")
        refuse("head.weight (1, 8), not (2, 8)", f"{work}/model.py:Net", "--weights", f"{work}/shape.pt")
        refuse("--trust loads it as it is", f"{work}/model.py:Net", "--weights", f"{work}/foreign.pt")
        refuse("gives a dict, not a tensor", f"{work}/model.py:Two")
        refuse("has no Nobody", f"{work}/model.py:Nobody")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
