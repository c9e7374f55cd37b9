"""Trains the frame network (frames one by one), then the GRU on its features. Resumes from --work after each epoch."""
import argparse
import os
import time

import cv2
import numpy as np
import torch
import torch.nn.functional as F

import data
import network

BATCH, PER_CLIP = 64, 2


def cosine(step, steps, warm):
    return min(1.0, (step + 1) / warm) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * min(step / steps, 1))))


def keep(path, state):
    torch.save(state, path + ".tmp")
    os.replace(path + ".tmp", path)


def train_frames(a, d):
    clips, starts, labels, weight, _ = d
    torch.manual_seed(a.seed)
    net = network.Frame()
    net.load_imagenet(a.imagenet)
    net = net.to(memory_format=torch.channels_last)  # half the time on a CPU
    average = network.Frame()
    average.load_state_dict(net.state_dict())
    optimiser = torch.optim.AdamW(net.parameters(), lr=a.rate, weight_decay=0.02)
    per_epoch, begin, path, spent = a.epoch_clips * PER_CLIP // BATCH, 0, os.path.join(a.work, "frame.pt"), 0.0
    if os.path.exists(path):
        s = torch.load(path)
        net.load_state_dict(s["net"]), average.load_state_dict(s["average"]), optimiser.load_state_dict(s["optimiser"])
        begin, spent = s["epoch"], s["spent"]
    cycle, epochs = a.epochs * per_epoch, a.epochs * a.cycles

    def rate(step):
        return a.rate * (cosine(step, cycle, 60) if step < cycle else 0.6 * cosine(step % cycle, cycle, 30))

    for epoch in range(begin, epochs):
        rng, t0, total, right = np.random.default_rng([a.seed, epoch]), time.time(), 0.0, 0.0
        torch.manual_seed(a.seed * 1000 + epoch)
        net.train()
        for b in range(per_epoch):
            step = epoch * per_epoch + b
            for g in optimiser.param_groups:
                g["lr"] = rate(step)
            chosen = rng.choice(len(labels), BATCH // PER_CLIP, p=weight, replace=False)
            x = []
            for i in chosen:
                c = data.clip(clips, starts, i)
                x.append(data.vary(rng, c[rng.choice(len(c), PER_CLIP, replace=False)]))
            y = torch.from_numpy(np.repeat(labels[chosen], PER_CLIP))
            logit = net.head(net(data.tensor(np.concatenate(x))))[:, 0]
            loss = F.binary_cross_entropy_with_logits(logit, y * 0.94 + 0.03)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
            optimiser.step()
            total += loss.item()
            right += ((logit > 0).float() == y).float().mean().item()
            decay = min(0.995, (step + 1) / (step + 10))
            with torch.no_grad():
                for p, q in zip(average.state_dict().values(), net.state_dict().values()):
                    p.copy_(p * decay + q * (1 - decay)) if p.dtype.is_floating_point else p.copy_(q)
        spent += time.time() - t0
        keep(path, {"net": net.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict(),
                    "epoch": epoch + 1, "spent": spent})
        print(f"frame epoch {epoch + 1}/{epochs}: loss {total / per_epoch:.4f} right {right / per_epoch:.4f} "
              f"{time.time() - t0:.0f} s", flush=True)
    return average.eval(), spent


@torch.no_grad()
def features(net, d, rng):
    clips, starts, labels, _, _ = d
    out = []
    for i in range(len(labels)):
        out.append(net(data.tensor(data.vary(rng, data.clip(clips, starts, i)))))
    return torch.stack(out)


def train_temporal(a, d, net):
    path = os.path.join(a.work, "temporal.pt")
    temporal = network.Temporal()
    if os.path.exists(path):
        s = torch.load(path)
        temporal.load_state_dict(s["net"])
        return temporal.eval(), s["spent"]
    t0, passes = time.time(), []
    for k in range(a.passes):
        f = os.path.join(a.work, f"features{k}.pt")
        if not os.path.exists(f):
            keep(f, features(net, d, np.random.default_rng([a.seed, 900 + k])))
        passes.append(torch.load(f))
        print(f"features, pass {k + 1}/{a.passes}: {time.time() - t0:.0f} s", flush=True)
    labels, weight = d[2], d[3]
    torch.manual_seed(a.seed + 1)
    temporal = network.Temporal()
    optimiser = torch.optim.AdamW(temporal.parameters(), lr=2e-3, weight_decay=0.05)
    rng, steps, total = np.random.default_rng([a.seed, 99]), a.temporal_steps, 0.0
    temporal.train()
    for step in range(steps):
        for g in optimiser.param_groups:
            g["lr"] = 2e-3 * cosine(step, steps, 30)
        chosen = rng.choice(len(labels), 64, p=weight)
        which = rng.integers(0, len(passes), 64)
        length = int(rng.choice([4, 8, 12, 16, 16, 16]))
        x = torch.stack([passes[w][i] for w, i in zip(which, chosen)])
        at = np.sort(rng.choice(16, length, replace=False))
        x = x[:, at] if rng.random() < 0.5 else x[:, at[::-1].copy()]
        # The features of clips that the frame stage has seen are too clean: noise, common to a clip and of each frame.
        x = x * (1 + 0.3 * torch.randn(64, 1, x.shape[2])) + 0.15 * x.std() * torch.randn_like(x)
        loss = F.binary_cross_entropy_with_logits(temporal(x)[:, 0], torch.from_numpy(labels[chosen]) * 0.94 + 0.03)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(temporal.parameters(), 1.0)
        optimiser.step()
        total += loss.item()
        if step % 200 == 199:
            print(f"temporal step {step + 1}/{steps}: loss {total / 200:.4f}", flush=True)
            total = 0.0
    spent = time.time() - t0
    keep(path, {"net": temporal.state_dict(), "spent": spent})
    return temporal.eval(), spent


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--clips", required=True)
    p.add_argument("--imagenet", required=True)
    p.add_argument("--work", required=True)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--epochs", type=int, default=14, help="of a cycle")
    p.add_argument("--cycles", type=int, default=2, help="falls of the rate, each over --epochs; from the second on at 0.6 of it")
    p.add_argument("--epoch-clips", type=int, default=1600)
    p.add_argument("--rate", type=float, default=1.5e-3)
    p.add_argument("--passes", type=int, default=1)
    p.add_argument("--temporal-steps", type=int, default=500)
    a = p.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    os.makedirs(a.work, exist_ok=True)
    d = data.load(a.clips)
    print(f"{len(d[2])} clips, {int(d[2].sum())} fake", flush=True)
    net, spent = train_frames(a, d)
    temporal, more = train_temporal(a, d, net)
    keep(os.path.join(a.work, "model.pt"), {"frame": net.state_dict(), "temporal": temporal.state_dict(),
                                            "seconds": spent + more, "clips": len(d[2])})
    print(f"{spent:.0f} s frame stage, {more:.0f} s temporal stage", flush=True)


if __name__ == "__main__":
    main()
