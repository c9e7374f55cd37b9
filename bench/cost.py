"""How well the planner foresees what videos cost. In: the debug log of a run (`fakesift run ... -v`, standard error). Out: rank
correlation and spread of measured / predicted, raw and after the correction that had been learned by then."""

import math
import re
import sys

LINE = re.compile(r"cost: unit \d+: predicted ([\d.]+) s, corrected ([\d.]+) s, took ([\d.]+) s")


def ranks(values):
    order = sorted(range(len(values)), key=values.__getitem__)
    result = [0.0] * len(values)
    for rank, index in enumerate(order):
        result[index] = rank
    return result


def spearman(a, b):
    a, b = ranks(a), ranks(b)
    mean = (len(a) - 1) / 2
    up = sum((x - mean) * (y - mean) for x, y in zip(a, b))
    return up / math.sqrt(sum((x - mean) ** 2 for x in a) * sum((y - mean) ** 2 for y in b))


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def main():
    rows = [tuple(map(float, m.groups())) for m in map(LINE.search, open(sys.argv[1], errors="replace")) if m]
    rows = [r for r in rows if r[0] > 0 and r[2] > 0]
    took = [r[2] for r in rows]
    print(f"{len(rows)} units, took {quantile(took, 0):.3f} to {max(took):.3f} s")
    for name, column in (("predicted", 0), ("corrected", 1)):
        ratios = [r[2] / r[column] for r in rows]
        spread = quantile(ratios, 0.95) / quantile(ratios, 0.05)
        print(f"{name}: rank correlation {spearman([r[column] for r in rows], took):.3f}, took/{name}: median "
              f"{quantile(ratios, 0.5):.2f}, 5 % {quantile(ratios, 0.05):.2f}, 95 % {quantile(ratios, 0.95):.2f}, "
              f"95 % / 5 % {spread:.1f}")


if __name__ == "__main__":
    main()
