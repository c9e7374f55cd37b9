"""Small autoencoders whose output stands for what generators draw: faces decoded from an eighth of their size.

They differ in how they enlarge (transposed convolution, nearest pixel and convolution, pixel shuffle) and in the size that
they work at, as generators do. Usage: makers.py WORK [TABLE]: writes WORK/maker_KIND.pt, each in some minutes."""
import os
import sys
import time

import cv2
import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

from cut import WIDE
from source import Clips

KINDS = {"transposed": 96, "nearest": 128, "shuffle": 128}  # and their side in pixels
INNER = 168  # pixels of a wide crop's middle that they are trained on
STEPS, BATCH = 600, 16


class Maker(nn.Module):
    def __init__(self, kind, code=12):
        super().__init__()
        down = [nn.Conv2d(3, 24, 4, 2, 1), nn.LeakyReLU(0.1), nn.Conv2d(24, 48, 4, 2, 1), nn.LeakyReLU(0.1),
                nn.Conv2d(48, 64, 4, 2, 1), nn.LeakyReLU(0.1), nn.Conv2d(64, code, 3, 1, 1)]
        self.encode = nn.Sequential(*down)
        self.decode = nn.Sequential(nn.Conv2d(code, 64, 3, 1, 1), nn.LeakyReLU(0.1), *self.up(kind, 64, 48),
                                    *self.up(kind, 48, 24), *self.up(kind, 24, 12), nn.Conv2d(12, 3, 3, 1, 1))

    @staticmethod
    def up(kind, i, o):
        if kind == "transposed":
            return [nn.ConvTranspose2d(i, o, 4, 2, 1), nn.LeakyReLU(0.1)]
        if kind == "nearest":
            return [nn.UpsamplingNearest2d(scale_factor=2), nn.Conv2d(i, o, 3, 1, 1), nn.LeakyReLU(0.1)]
        return [nn.Conv2d(i, 4 * o, 3, 1, 1), nn.PixelShuffle(2), nn.LeakyReLU(0.1)]

    def forward(self, x):
        return self.decode(self.encode(x))


def middle(frames, inner, side):
    e = (WIDE - inner) // 2
    return np.stack([cv2.resize(f[e:WIDE - e, e:WIDE - e], (side, side), interpolation=cv2.INTER_AREA) for f in frames])


def tensor(frames):
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float().div_(127.5).sub_(1).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def redraw(maker, side, frames):
    """(T, WIDE, WIDE, 3) uint8 -> the same with more than the network's crop drawn again; side as in KINDS."""
    inner = 204
    e, side = (WIDE - inner) // 2, round(side * inner / INNER / 8) * 8
    y = maker(tensor(middle(frames, inner, side))).add(1).mul(127.5).clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    out = np.array(frames)
    for k, f in enumerate(y):
        out[k, e:WIDE - e, e:WIDE - e] = cv2.resize(f, (inner, inner), interpolation=cv2.INTER_CUBIC)
    return out


def load(work):
    out = []
    for kind, side in KINDS.items():
        m = Maker(kind).eval()
        m.load_state_dict(torch.load(os.path.join(work, f"maker_{kind}.pt")))
        out.append((m.to(memory_format=torch.channels_last), side))
    return out


def train(kind, side, clips, seed):
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    net = Maker(kind).to(memory_format=torch.channels_last)
    rate = torch.optim.AdamW(net.parameters(), 2e-3)
    videos, stills = clips.where(split=["train"], set=["real"]), clips.where(split=["train"], set=["portraits"])
    start = time.process_time()
    for step in range(STEPS):
        for g in rate.param_groups:
            g["lr"] = 2e-3 * min(1, (step + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * step / STEPS)))
        pick = [clips.frames(int(rng.choice(stills if stills and rng.random() < 0.3 else videos))) for _ in range(BATCH)]
        x = tensor(middle(np.stack([f[rng.integers(len(f))] for f in pick]), INNER, side))
        if rng.random() < 0.5:
            x = x.flip(3)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = net(x)
        y, loss = y.float(), 0
        for k in range(3):  # the picture and its edges, at three sizes
            a, b = F.avg_pool2d(y, 2**k), F.avg_pool2d(x, 2**k)
            d = a - b
            loss = loss + d.abs().mean() + (d[..., 1:] - d[..., :-1]).abs().mean() + (d[..., 1:, :] - d[..., :-1, :]).abs().mean()
        rate.zero_grad()
        loss.backward()
        rate.step()
        if step % 100 == 99:
            print(kind, step + 1, round(float(loss), 4), f"{time.process_time() - start:.0f} s", flush=True)
    return net


def main():
    work, table = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    clips = Clips(work, ["real", "portraits"], table)
    for k, (kind, side) in enumerate(KINDS.items()):
        path = os.path.join(work, f"maker_{kind}.pt")
        if not os.path.exists(path):
            torch.save(train(kind, side, clips, 20 + k).state_dict(), path + ".tmp")
            os.replace(path + ".tmp", path)


if __name__ == "__main__":
    main()
