#!/usr/bin/python3
"""Writes tests/data/metrics.txt: items and the figures that scikit-learn, scipy and numpy give for them.

Run:  /usr/bin/python3 tests/golden/make_metrics.py > tests/data/metrics.txt
      (Debian 12: python3-sklearn 1.2.1, python3-scipy 1.10.1, python3-numpy 1.24.2)

DeLong's variance is taken from its definition (all pairs), not from ranks. The bootstrap repeats the program's
generator (xoshiro256**, splitmix64 seed) and order of draws, builds each replicate as real arrays and asks scikit-learn for
its AUC: the resampling is ours, every figure is theirs.
"""
import sys
import numpy as np
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from scipy.stats import norm
from sklearn import metrics as sk

M = (1 << 64) - 1
SEED = 0x66616B6573696674
REPLICATES = 50


class Random:
    def __init__(self, seed):
        self.s = []
        for _ in range(4):
            seed = (seed + 0x9E3779B97F4A7C15) & M
            z = seed
            z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M
            self.s.append(z ^ (z >> 31))

    def next(self):
        s = self.s
        rot = lambda x, k: ((x << k) | (x >> (64 - k))) & M
        result = (rot((s[1] * 5) & M, 7) * 9) & M
        t = (s[1] << 17) & M
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rot(s[3], 45)
        return result

    def below(self, n):
        while True:
            m = (self.next() >> 32) * n
            if (m & 0xFFFFFFFF) >= (2**32 - n) % n or (m & 0xFFFFFFFF) >= n:
                return m >> 32


def bootstrap(p, y, cluster):
    order = sorted(range(len(p)), key=lambda i: (p[i], i))
    names, members = [], {}
    for i in order:
        if cluster[i] not in members:
            names.append(cluster[i])
            members[cluster[i]] = []
        members[cluster[i]].append(i)
    strata = {1: [], 2: [], 3: []}
    for k in names:
        strata[(1 if 0 in y[members[k]] else 0) | (2 if 1 in y[members[k]] else 0)].append(k)
    rnd, aucs = Random(SEED), []
    for _ in range(REPLICATES):
        rows = []
        for stratum in (1, 2, 3):
            n = len(strata[stratum])
            for _ in range(n):
                rows += members[strata[stratum][rnd.below(n)]]
        aucs.append(sk.roc_auc_score(y[rows], p[rows]))
    return np.percentile(aucs, [2.5, 97.5])


def delong(p, y):
    fake, real = p[y == 1], p[y == 0]
    auc = sk.roc_auc_score(y, p)
    wins = (fake[:, None] > real[None, :]) + 0.5 * (fake[:, None] == real[None, :])
    var = wins.mean(1).var(ddof=1) / len(fake) + wins.mean(0).var(ddof=1) / len(real)
    reach = norm.ppf(0.975) * np.sqrt(var)
    return var, max(0.0, auc - reach), min(1.0, auc + reach)


def ece(p, y):
    edges = np.minimum((p * 15).astype(int), 14)
    return sum((edges == b).mean() * abs(y[edges == b].mean() - p[edges == b].mean())
               for b in range(15) if (edges == b).any())


def figures(p, y, cluster):
    out = {"log_loss": sk.log_loss(y, p, eps=1e-15, labels=[0, 1]),
           "log_loss_eps_0.01": sk.log_loss(y, p, eps=0.01, labels=[0, 1]),
           "brier": sk.brier_score_loss(y, p, pos_label=1),
           "accuracy": sk.accuracy_score(y, (p >= 0.5).astype(int)),
           "ece": ece(p, y)}
    if 0 < y.sum() < len(y):
        fpr, tpr, _ = sk.roc_curve(y, p, drop_intermediate=False)
        # Where FPR has steps upward at one place, the polygon is walked along its length instead of along FPR.
        length = np.arange(len(fpr))
        at = brentq(lambda t: 1 - interp1d(length, tpr)(t) - interp1d(length, fpr)(t), 0, len(fpr) - 1,
                    xtol=1e-15, rtol=1e-15)
        out.update(auc=sk.roc_auc_score(y, p), average_precision=sk.average_precision_score(y, p),
                   eer=float(interp1d(length, fpr)(at)), tpr_at_fpr_1e2=tpr[fpr <= 1e-2].max(),
                   tpr_at_fpr_1e3=tpr[fpr <= 1e-3].max())
        out["bootstrap_low"], out["bootstrap_high"] = bootstrap(p, y, np.arange(len(p)))
        out["cluster_low"], out["cluster_high"] = bootstrap(p, y, cluster)
        if 1 < y.sum() < len(y) - 1:
            out["delong_variance"], out["delong_low"], out["delong_high"] = delong(p, y)
    return out


def cases():
    g = np.random.default_rng(20240229)
    for name, n, share in (("random", 150, 0.5), ("rare_fakes", 120, 0.05), ("rare_reals", 120, 0.95)):
        y = (g.random(n) < share).astype(int)
        y[:2] = 0, 1
        yield name, g.beta(2 + y, 3 - y), y, g.integers(0, 30, n)
    y = g.integers(0, 2, 140)
    yield "ties", np.round(g.random(140) * 0.6 + 0.3 * y, 1), y, g.integers(0, 40, 140)
    yield "two_levels", np.where(g.random(90) < 0.3 + 0.4 * (np.arange(90) % 2), 1.0, 0.0), np.arange(90) % 2, \
        np.arange(90) // 4
    yield "constant", np.full(40, 0.5), np.arange(40) % 2, np.arange(40) // 2
    yield "two_items_right", np.array([0.25, 0.75]), np.array([0, 1]), np.array([0, 1])
    yield "two_items_wrong", np.array([0.75, 0.25]), np.array([0, 1]), np.array([7, 7])
    yield "two_items_tied", np.array([0.5, 0.5]), np.array([0, 1]), np.array([3, 1])
    yield "perfect", np.array([0.0, 0.1, 0.2, 0.8, 0.9, 1.0]), np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 2, 0, 1, 2])
    yield "inverted", np.array([1.0, 0.9, 0.8, 0.2, 0.1, 0.0]), np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 2, 0, 1, 2])
    yield "one_fake", np.array([0.3, 0.6, 0.2, 0.5, 0.4]), np.array([0, 0, 0, 1, 0]), np.array([0, 0, 1, 1, 2])
    yield "edges", np.array([0.0, 1.0, 1e-300, 1 - 2**-53, 1 / 15, 14 / 15, 0.5, 0.49999999999999994]), \
        np.array([1, 0, 0, 1, 0, 1, 0, 1]), np.array([0, 1, 2, 3, 0, 1, 2, 3])
    yield "neighbours", 0.5 + np.arange(60) % 7 * 2**-52, (np.arange(60) * 7 % 5 < 2).astype(int), np.arange(60) % 9
    # One of a hundred reals above two of three fakes: TPR at FPR 0.01 hangs on "<=".
    yield "hundred_reals", np.r_[np.linspace(0.01, 0.4, 99), 0.9, 0.95, 0.8, 0.2], np.r_[np.zeros(100, int), 1, 1, 1], \
        np.arange(103) % 50
    yield "fakes_only", np.array([0.1, 0.9, 0.5]), np.array([1, 1, 1]), np.array([0, 1, 2])
    yield "reals_only", np.array([0.1, 0.9, 0.5]), np.array([0, 0, 0]), np.array([0, 1, 2])


for name, p, y, cluster in cases():
    p = p.astype(float)
    print("case", name, len(p))
    for row in zip(p, y, cluster):
        print(repr(float(row[0])), row[1], row[2])
    for key, value in figures(p, y, cluster).items():
        print(key, repr(float(value)))
    print("end")
    sys.stdout.flush()
