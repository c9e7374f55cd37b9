"""Trains the frame network on pairs (make_clips.py) frame by frame, then the temporal one on its features.

Both go on from their last state in WORK. Shards may still be made while the frames are trained: new ones are taken up as
they appear.
Usage: train.py WORK frames --steps N [--from MODEL.pt] | train.py WORK temporal --model MODEL.pt"""
import argparse
import copy
import glob
import os
import time

import cv2
import numpy as np
import torch
import torch.nn.functional as F

import network
from chain import ROOM
from network import SIDE

PAIRS, PER_CLIP = 8, 2  # of a step: 8 pairs, 2 frames of each of their 16 clips
RATE, KEEP_EVERY, DECAY = 3e-4, 250, 0.995


def tensor(frames):
    """(N, H, W, 3) uint8 -> (N, 3, H, W), 0..1, as the card's tensor section says."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float().div_(255)


class Shards:
    """All shards of a folder in memory; the oldest go beyond `most`."""

    def __init__(self, folder, most=300):
        self.folder, self.most, self.seen, self.clips = folder, most, set(), []

    def look(self):
        for p in sorted(glob.glob(os.path.join(self.folder, "*.npz"))):
            if p not in self.seen and not p.endswith(".tmp.npz"):
                self.seen.add(p)
                self.clips.append(np.load(p)["clips"])
        self.clips = self.clips[-self.most:]
        return len(self.clips)

    def draw(self, rng):
        """Half of the draws from the newest quarter, so that a growing store is used evenly."""
        n = len(self.clips)
        s = self.clips[rng.integers(n * 3 // 4, n) if rng.random() < 0.5 else rng.integers(n)]
        return s[rng.integers(len(s))]


def vary(rng, frames):
    """(T, STORE, STORE, 3) -> (T, SIDE, SIDE, 3) by one draw: shift, mirror, light, a hole."""
    y, x = np.clip(rng.normal(ROOM / 2, 2.5, 2).round().astype(int), 0, ROOM)
    f = frames[:, y:y + SIDE, x:x + SIDE]
    if rng.random() < 0.5:
        f = f[:, :, ::-1]
    f = np.clip(np.arange(256) * rng.uniform(0.9, 1.1) + rng.normal(0, 5), 0, 255).astype(np.uint8)[f]
    if rng.random() < 0.06:
        f = np.repeat(f[..., 1:2], 3, 3)
    if rng.random() < 0.2:
        h, w = rng.integers(10, 50, 2)
        y, x = rng.integers(0, SIDE - h), rng.integers(0, SIDE - w)
        f[:, y:y + h, x:x + w] = rng.integers(0, 255)
    return f


def keep(path, state):
    torch.save(state, path + ".tmp")
    os.replace(path + ".tmp", path)


def train_frames(a):
    path, model = os.path.join(a.work, a.name + ".state.pt"), os.path.join(a.work, a.name + ".pt")
    torch.manual_seed(a.seed)
    net = network.Frame()
    net.body.load_state_dict(torch.load(os.path.join(a.work, "backbone.pt")))
    if a.start:
        net.load_state_dict(torch.load(a.start))
    net = net.to(memory_format=torch.channels_last)
    average, rate, step = copy.deepcopy(net), torch.optim.AdamW(net.parameters(), RATE, weight_decay=0.01), 0
    if os.path.exists(path):
        s = torch.load(path)
        net.load_state_dict(s["net"]), average.load_state_dict(s["average"]), rate.load_state_dict(s["rate"])
        step = s["step"]
    shards, losses, right, start = Shards(os.path.join(a.work, a.clips)), [], [], time.time()
    labels = torch.tensor([0.0, 1.0]).repeat_interleave(PER_CLIP).repeat(PAIRS)
    while step < a.steps:
        if step % 50 == 0 or not shards.clips:
            shards.look()
        rng, left = np.random.default_rng([a.seed, step]), 1 - step / a.steps
        for g in rate.param_groups:
            g["lr"] = RATE * min(1, (step + 1) / 100) * (max(0.02, min(1, left / a.fall)) if a.fall else 1)
        frames = []
        for _ in range(PAIRS):
            for clip in shards.draw(rng):
                frames.append(vary(rng, clip[rng.choice(len(clip), PER_CLIP, replace=False)]))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = net(tensor(np.concatenate(frames)).contiguous(memory_format=torch.channels_last))
        logit = out[:, -1].float()
        loss = F.binary_cross_entropy_with_logits(logit, labels * 0.96 + 0.02)
        rate.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        rate.step()
        step += 1
        with torch.no_grad():
            d = min(DECAY, step / (step + 20))
            for p, q in zip(average.parameters(), net.parameters()):
                p.mul_(d).add_(q, alpha=1 - d)
        losses.append(float(loss))
        right.append(float(((logit > 0) == (labels > 0)).float().mean()))
        if step % KEEP_EVERY == 0 or step == a.steps:
            keep(path, {"net": net.state_dict(), "average": average.state_dict(), "rate": rate.state_dict(), "step": step})
            keep(model, average.state_dict())
            print(f"{step} of {a.steps}: loss {np.mean(losses):.4f}, right {np.mean(right):.3f}, {len(shards.clips)} shards, "
                  f"{len(losses) / (time.time() - start):.2f} steps/s", flush=True)
            losses, right, start = [], [], time.time()


@torch.no_grad()
def features(net, frames, batch=32):
    """(..., H, W, 3) uint8 -> (..., FEATURES + 1)."""
    flat = frames.reshape(-1, *frames.shape[-3:])
    out = [net(tensor(flat[i:i + batch]).contiguous(memory_format=torch.channels_last)) for i in range(0, len(flat), batch)]
    return torch.cat(out).reshape(*frames.shape[:-3], -1).numpy()


def features_of(shard, model, net, rng):
    """Kept beside the shard, by the name of the weights."""
    path = f"{shard[:-4]}.{os.path.basename(model)}.npy"
    if not os.path.exists(path):
        np.save(path + ".tmp.npy", features(net, np.stack([[vary(rng, c) for c in pair] for pair in np.load(shard)["clips"]])))
        os.replace(path + ".tmp.npy", path)
    return np.load(path)


def load_frame(path):
    net = network.Frame().eval()
    net.load_state_dict(torch.load(path))
    return net.to(memory_format=torch.channels_last)


def train_temporal(a):
    net, path = load_frame(a.model), os.path.join(a.work, a.name + ".pt")
    torch.manual_seed(a.seed)
    x, rng = [], np.random.default_rng(a.seed)
    for folder in a.clips.split(","):  # each of its own number of frames
        own = [features_of(p, a.model, net, rng) for p in sorted(glob.glob(os.path.join(a.work, folder, "[0-9]*[0-9].npz")))[-a.most:]]
        x.append(torch.from_numpy(np.concatenate(own)).float())  # pairs, 2, T, D
        print(folder, *x[-1].shape, flush=True)
    temporal = network.Temporal()
    temporal.load_scale(x[0])
    rate = torch.optim.AdamW(temporal.parameters(), 1e-3, weight_decay=0.05)
    for step in range(a.steps):
        for g in rate.param_groups:
            g["lr"] = 1e-3 * min(1, (step + 1) / 50) * (1 - step / a.steps)
        of = x[step % len(x)]
        clip = of[torch.from_numpy(rng.integers(0, len(of), 32))].flatten(0, 1)
        if rng.random() < 0.5:
            clip = clip.flip(1)
        y = torch.tensor([0.0, 1.0]).repeat(32)
        logit = temporal(clip)[:, 0]
        loss = F.binary_cross_entropy_with_logits(logit, y * 0.96 + 0.02) + a.shrink * temporal.correction.pow(2).mean()
        rate.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(temporal.parameters(), 1.0)
        rate.step()
        if step % 100 == 99:
            print(step + 1, round(float(loss), 4), flush=True)
    keep(path, temporal.eval().state_dict())


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("work")
    p.add_argument("what", choices=["frames", "temporal"])
    p.add_argument("--name", required=True, help="of the result, WORK/NAME.pt")
    p.add_argument("--clips", required=True, help="the shards' folder in WORK; temporal: several, joined by commas")
    p.add_argument("--most", type=int, default=60, help="temporal: shards of a folder; default %(default)s")
    p.add_argument("--steps", type=int, required=True)
    p.add_argument("--from", dest="start", help="the weights to begin with; default the backbone's")
    p.add_argument("--fall", type=float, default=0.5, help="the last share of the steps, in which the rate falls; 0: never")
    p.add_argument("--model", help="temporal: the frame network")
    p.add_argument("--shrink", type=float, default=0.3, help="temporal: what a square of the correction costs")
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    train_frames(a) if a.what == "frames" else train_temporal(a)


if __name__ == "__main__":
    main()
