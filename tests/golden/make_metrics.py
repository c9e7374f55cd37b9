#!/usr/bin/python3
"""Items and the figures that scikit-learn, SciPy and NumPy give for them.

    make_metrics.py > tests/data/metrics.txt          what unit.metrics compares with
    make_metrics.py --check TEST_METRICS [--seed N]   the same over fresh random cases, live: writes them beside the program and
                                                      runs it over them; 77 where scikit-learn or SciPy is not installed
(Debian 12: python3-sklearn 1.2.1, python3-scipy 1.10.1, python3-numpy 1.24.2)

DeLong's variances are taken from their definition (all pairs), not from ranks. The bootstrap repeats the program's generator
(xoshiro256**, a stream a replicate) and order of draws, builds each replicate as real arrays and asks scikit-learn for
its figures: the resampling is ours, every figure is theirs.
"""
import argparse
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    from scipy.interpolate import interp1d
    from scipy.optimize import brentq
    from scipy.special import expit
    from scipy.stats import norm, ttest_rel
    from sklearn import metrics as sk
except ImportError as absent:
    print(f"skipped: {absent} (python3-sklearn, python3-scipy)")
    sys.exit(77)

M = (1 << 64) - 1
SEED = 0x66616B6573696674
REPLICATES = 50


class Random:
    def __init__(self, seed, stream):
        z = ((stream + 1) * 0xD1342543DE82EF95) & M
        z = ((z ^ (z >> 32)) * 0xDABA0B6EB09322E3) & M
        z = ((z ^ (z >> 32)) * 0xDABA0B6EB09322E3) & M
        seed ^= z ^ (z >> 32)
        self.s = []
        self.half = []
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

    def many_below(self, n):
        """n numbers below n; the second half of a last 64 bits is left."""
        out = []
        while len(out) < n:
            bits = self.next()
            for half in (bits & 0xFFFFFFFF, bits >> 32):
                m = half * n
                if len(out) < n and (m & 0xFFFFFFFF) >= (2**32 - n) % n:
                    out.append(m >> 32)
        return out


def replicates(y, cluster):
    members = {k: np.flatnonzero(cluster == k) for k in sorted(set(cluster.tolist()))}
    strata = {1: [], 2: [], 3: []}
    for k, rows in members.items():
        strata[(1 if 0 in y[rows] else 0) | (2 if 1 in y[rows] else 0)].append(k)
    for replicate in range(REPLICATES):
        rnd, rows = Random(SEED, replicate), []
        for stratum in (1, 2, 3):
            names = strata[stratum]
            rows += [members[names[i]] for i in rnd.many_below(len(names))]
        yield np.concatenate(rows)


def interval(values):
    return np.percentile(values, [2.5, 97.5])


def wins(p, y):
    fake, real = p[y == 1], p[y == 0]
    return (fake[:, None] > real[None, :]) + 0.5 * (fake[:, None] == real[None, :])


def delong(p, y):
    w = wins(p, y)
    auc = sk.roc_auc_score(y, p)
    var = w.mean(1).var(ddof=1) / w.shape[0] + w.mean(0).var(ddof=1) / w.shape[1]
    reach = norm.ppf(0.975) * np.sqrt(var)
    return var, max(0.0, auc - reach), min(1.0, auc + reach)


def ece(p, y):
    edges = np.minimum((p * 15).astype(int), 14)
    return sum((edges == b).mean() * abs(y[edges == b].mean() - p[edges == b].mean())
               for b in range(15) if (edges == b).any())


def curve_figures(p, y):
    fpr, tpr, thresholds = sk.roc_curve(y, p, drop_intermediate=False)
    # Where FPR has steps upward at one place, the polygon is walked along its length instead of along FPR.
    length = np.arange(len(fpr))
    at = brentq(lambda t: 1 - interp1d(length, tpr)(t) - interp1d(length, fpr)(t), 0, len(fpr) - 1,
                xtol=1e-15, rtol=1e-15)
    n_fake, n_real = int(y.sum()), int((1 - y).sum())
    tp, fp = np.rint(tpr * n_fake).astype(int), np.rint(fpr * n_real).astype(int)
    # In whole numbers, so that equal gaps are equal.
    out = {"auc": sk.roc_auc_score(y, p), "average_precision": sk.average_precision_score(y, p),
           "pauc_fpr_0.1": sk.roc_auc_score(y, p, max_fpr=0.1), "eer": float(interp1d(length, fpr)(at)),
           "eer_argmin": fpr[np.argmin(np.abs((n_fake - tp) * n_real - fp * n_fake))],
           "tpr_at_fpr_0.01": tpr[fpr <= 1e-2].max(), "tpr_at_fpr_0.001": tpr[fpr <= 1e-3].max()}
    for recall in (0.1, 0.5, 0.9):
        k = np.flatnonzero(tp / n_fake >= recall)[0]
        out[f"ln_wp_at_recall_{recall}"] = np.log(tp[k] / (tp[k] + 100 * fp[k]))
    return out


def point_figures(p, y):
    return {"log_loss": sk.log_loss(y, p, eps=1e-15, labels=[0, 1]),
            "brier": sk.brier_score_loss(y, p, pos_label=1),
            "accuracy_at_0.5": sk.accuracy_score(y, (p >= 0.5).astype(int)),
            "ece_15": ece(p, y)}


def paired(p, q, y, cluster):
    d = wins(p, y) - wins(q, y)
    difference = sk.roc_auc_score(y, p) - sk.roc_auc_score(y, q)
    yield "paired_auc", difference
    var = d.mean(1).var(ddof=1) / d.shape[0] + d.mean(0).var(ddof=1) / d.shape[1]
    if var > 1e-20:
        yield "paired_auc_z", difference / np.sqrt(var)
        yield "paired_auc_p", 2 * norm.sf(abs(difference) / np.sqrt(var))
    influence = np.zeros(len(y))
    influence[y == 1] = (d.mean(1) - difference) / d.shape[0]
    influence[y == 0] = (d.mean(0) - difference) / d.shape[1]
    sums = np.array([influence[cluster == k].sum() for k in np.unique(cluster)])
    if len(sums) > 1 and (sums**2).sum() > 1e-20:
        var = len(sums) / (len(sums) - 1) * (sums**2).sum()
        yield "paired_cluster_se", np.sqrt(var)
    loss = [-np.where(y == 1, np.log(np.clip(s, 1e-15, 1 - 1e-15)), np.log1p(-np.clip(s, 1e-15, 1 - 1e-15)))
            for s in (p, q)]
    yield "paired_log_loss", loss[0].mean() - loss[1].mean()
    if (loss[0] - loss[1]).std() > 1e-9:
        yield "paired_log_loss_z", ttest_rel(loss[0], loss[1]).statistic
    brier = [(s - y)**2 for s in (p, q)]
    if (brier[0] - brier[1]).std() > 1e-9:
        yield "paired_brier_z", ttest_rel(brier[0], brier[1]).statistic


def temperature(p, y):
    """The root of the log loss's slope over 1 / T, where there is one within the program's bounds."""
    p = np.clip(p, 1e-7, 1 - 1e-7)
    z = np.log(p) - np.log1p(-p)
    slope = lambda beta: (z * (expit(beta * z) - y)).sum()
    if slope(0.01) < 0 < slope(100):
        yield "temperature", 1 / brentq(slope, 0.01, 100, xtol=1e-15, rtol=1e-14, maxiter=1000)


def figures(p, y, cluster, q):
    out = point_figures(p, y)
    out["log_loss_eps_0.01"] = sk.log_loss(y, p, eps=0.01, labels=[0, 1])
    if not 0 < y.sum() < len(y):
        return out
    out.update(curve_figures(p, y))
    for name, by in (("bootstrap", np.arange(len(p))), ("cluster", cluster)):
        drawn = [{**curve_figures(p[rows], y[rows]), **point_figures(p[rows], y[rows])} for rows in replicates(y, by)]
        for key in drawn[0]:
            out[f"{name}_low:{key}"], out[f"{name}_high:{key}"] = interval([d[key] for d in drawn])
    if 1 < y.sum() < len(y) - 1:
        out["delong_variance"], out["delong_low"], out["delong_high"] = delong(p, y)
        out.update(paired(p, q, y, cluster))
    out.update(temperature(p, y))
    return out


def fixed_cases():
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


def random_cases(seed, count):
    g = np.random.default_rng(seed)
    for k in range(count):
        n = int(g.choice([2, 3, 5, 17, 64, 200]))
        y = (g.random(n) < g.choice([0.05, 0.5, 0.9])).astype(int)
        y[:2] = 0, 1
        p = np.clip(g.normal(0.5 + 0.2 * g.choice([-1, 0, 1, 3]) * (y - 0.5), 0.25), 0, 1)
        if g.random() < 0.4:
            levels = int(g.choice([1, 2, 4, 20]))
            p = np.round(p * levels) / levels
        yield f"random_{seed}_{k}", p, y, g.integers(0, int(g.choice([1, 5, n])), n)


def write(cases, out, seed):
    g = np.random.default_rng(seed)
    for name, p, y, cluster in cases:
        p, cluster = p.astype(float), cluster.astype(int)
        # A second detector of the same items, tied with the first in places.
        q = np.where(g.random(len(p)) < 0.3, p, np.clip(p + g.normal(0, 0.2, len(p)), 0, 1))
        print("case", name, len(p), file=out)
        for row in zip(p, y, cluster, q):
            print(repr(float(row[0])), row[1], row[2], repr(float(row[3])), file=out)
        for key, value in figures(p, y, cluster, q).items():
            print(key, repr(float(value)), file=out)
        print("end", file=out)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", metavar="TEST_METRICS")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    parser.add_argument("--count", type=int, default=20)
    options = parser.parse_args()
    if not options.check:
        write(fixed_cases(), sys.stdout, 20240301)
        return 0
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as data:
        write(random_cases(options.seed, options.count), data, options.seed)
        data.flush()
        rc = subprocess.call([options.check, "--filter", "metrics/every_figure*"],
                             env={**os.environ, "METRICS_DATA": data.name, "METRICS_CASES": str(options.count)})
    print(f"{options.count} random cases, --seed {options.seed}: {'as scikit-learn and SciPy' if rc == 0 else 'FAILED'}")
    return rc


sys.exit(main())
