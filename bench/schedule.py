"""Bench figures of the schedule as a table, checked against their limits. In: the program's JSON. Out: the table (Markdown) on
standard output, a TSV for the plot; exit code 1 when a limit is passed."""

import json
import sys

LIMITS = {1024: 0.02, 16384: 0.05}  # makespan over the lower bound, by lanes
CPU_US, BYTES = 20, 200


def main():
    runs = json.load(open(sys.argv[1]))["runs"]
    passed = True
    print("| lanes | nodes, lost | units | over the bound | CPU a unit | memory a unit | static, round robin | static, blocks |"
          " static, cut alike |")
    print("|---|---|---|---|---|---|---|---|---|")
    with open(sys.argv[2], "w") as tsv:
        for r in runs:
            print(f"| {r['lanes']} | {r['agents']}, {r['agents_lost']} | {r['units']} | {100 * r['over_bound']:.3f} % "
                  f"| {r['cpu_us_a_unit']:.1f} us | {r['bytes_a_unit']:.0f} B | {r['static_round_robin']:.2f} x "
                  f"| {r['static_blocks']:.2f} x | {r['static_round_robin_cut']:.2f} x |")
            tsv.write("\t".join(str(x) for x in (r["lanes"], 1 + r["over_bound"], r["static_round_robin"], r["static_blocks"],
                                                 r["static_round_robin_cut"])) + "\n")
            passed &= r["over_bound"] <= LIMITS.get(r["lanes"], 0.05)
            passed &= r["cpu_us_a_unit"] < CPU_US and r["bytes_a_unit"] < BYTES
    print("limits: 2 % over the bound at 1,024 lanes, 5 % at 16,384; 20 us and 200 bytes a unit:",
          "held" if passed else "PASSED")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
