#!/usr/bin/python3
"""Times fakesift's engine beside ONNX Runtime and PyTorch: the same networks, the same input, one thread, one run.

    bench/infer/infer.py FAKESIFT [--networks A,B] [--batches 1,16] [--rounds N] [--engines A,B] [--json FILE] [--markdown FILE]

Every engine is a process that lives as long as its network is looked at, and times some runs when it is asked to. A round asks each
of them once, in an order that rotates, so that whatever else the machine does falls on all of them; a figure is the median of the
rounds, a ratio the median of the rounds' ratios of CPU time. Engines that are not there are named and left out.
"""
import argparse
import json
import os
import platform
import select
import statistics
import subprocess
import sys
import time

import numpy

HERE = os.path.dirname(os.path.abspath(__file__))
ORT_VERSION = "1.30.0"
LEAST_ROUND_S = 0.15
START_LIMIT_S = 300

DEFAULT_NETWORKS = ("resnet50,resnet50_int8,efficientnet_b4,mobilenet_v2,densenet121,xception,meso4,gru256,lstm256,gru256_1280,lstm256_1280,"
                    "vit_b_16")

# What of ours is timed: name -> options of `fakesift models bench`.
OURS = {
    "fakesift native": ["--backend", "native"],
    "fakesift openblas": ["--backend", "openblas"],
    "fakesift onednn f32": ["--backend", "onednn"],
    "fakesift onednn bf16": ["--backend", "onednn", "--precision", "bf16"],
}
ORT, TORCH = "ONNX Runtime", "PyTorch"
# The machine's limit is a plain matrix product, by the library that is best at it: name -> engine that runs it.
PEAKS = {"f32": "fakesift openblas", "bf16": "fakesift onednn bf16", "int8": "fakesift onednn f32"}
PEAK_NETWORKS = {"int8": "peak_int8"}  # else "peak"
# Networks of bytes run as they are, whatever lies between; PyTorch has no module of them.
LEFT_OUT_OF_INT8 = ("fakesift onednn bf16", TORCH)


def is_int8(network):
    return network.endswith("_int8")


class Missing(Exception):
    """An engine that cannot be had here, with the reason."""


class Engine:
    """A process that times runs on request."""

    def __init__(self, name, command, log):
        self.name = name
        self.log = log
        with open(log, "wb") as errors:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
                                            env=dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1"))
        ready = self.answer(START_LIMIT_S).split()
        if ready[:1] != ["ready"]:
            self.close()
            with open(log, encoding="utf-8", errors="replace") as f:
                lines = f.read().strip().splitlines() or ["ended without a word"]
            raise Missing(lines[-1])
        self.facts = ready[1:]
        wall = self.time(1)[0]
        self.runs = max(1, int(LEAST_ROUND_S / max(wall, 1e-6)))

    def answer(self, limit_s):
        if not select.select([self.process.stdout], [], [], limit_s)[0]:
            return ""
        return self.process.stdout.readline()

    def time(self, runs):
        self.process.stdin.write(f"{runs}\n")
        self.process.stdin.flush()
        answer = self.answer(START_LIMIT_S).split()
        if len(answer) != 2:
            raise RuntimeError(f"{self.name} ended while it was timed; see {self.log}")
        return float(answer[0]), float(answer[1])

    def round(self):
        """Wall and CPU seconds of one run."""
        wall, cpu = self.time(self.runs)
        return wall / self.runs, cpu / self.runs

    def peak_rss_mib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            for line in f:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
        return None

    def close(self):
        if self.process.stdin:
            self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Bench:
    def __init__(self, a):
        self.a = a
        self.networks = os.path.join(a.cache, "networks")
        self.ort = os.path.join(a.cache, "ort")
        self.missing = {}
        os.makedirs(self.networks, exist_ok=True)
        self.npm_install()

    def npm_install(self):
        package = os.path.join(self.ort, "node_modules", "onnxruntime-node", "package.json")
        if os.path.exists(package):
            with open(package, encoding="utf-8") as f:
                if json.load(f)["version"] == ORT_VERSION:
                    return
        os.makedirs(self.ort, exist_ok=True)
        # No scripts: they would only fetch the libraries for GPUs.
        command = ["npm", "install", "--prefix", self.ort, "--ignore-scripts", "--no-audit", "--no-fund",
                   f"onnxruntime-node@{ORT_VERSION}", f"onnxruntime-common@{ORT_VERSION}"]
        try:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            lines = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
            self.missing[ORT] = f"npm could not install onnxruntime-node {ORT_VERSION}: {lines[-1] if lines else error}"

    def onnx(self, network, batch):
        for name in (f"{network}.onnx", f"{network}-b{batch}.onnx"):
            if os.path.exists(os.path.join(self.networks, name)):
                return os.path.join(self.networks, name)
        return None

    def export(self, network, batches):
        if all(self.onnx(network, b) for b in batches):
            return
        done = subprocess.run(["/usr/bin/python3", "-B", os.path.join(HERE, "networks.py"), self.networks, network,
                               "--batches", ",".join(map(str, batches))], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or ["?"]
            raise Missing(f"{network} could not be exported: {lines[-1]}")

    def input(self, network, batch):
        path = os.path.join(self.networks, f"{network}-b{batch}.npy")
        if not os.path.exists(path):
            done = subprocess.run(["/usr/bin/python3", "-B", os.path.join(HERE, "networks.py"), self.networks, network, "--input",
                                   str(batch)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            if done.returncode != 0:
                raise Missing(done.stderr.strip().splitlines()[-1])
        return path

    def output(self, engine, network):
        """Where an engine leaves its output: ours as .npy, the peers' as bare numbers."""
        suffix = "npy" if engine in OURS else "f32"
        return os.path.join(self.a.cache, f"{network}-{engine.replace(' ', '_')}.{suffix}")

    def read_output(self, engine, network):
        path = self.output(engine, network)
        y = numpy.load(path) if engine in OURS else numpy.fromfile(path, "<f4")
        return y.ravel().astype(numpy.float64)

    def start(self, engine, network, batch):
        onnx, given, output = self.onnx(network, batch), self.input(network, batch), self.output(engine, network)
        if engine in self.missing:
            raise Missing(self.missing[engine])
        if engine == ORT:
            command = ["node", os.path.join(HERE, "ort_peer.js"), self.ort, onnx, str(batch), given, output]
        elif engine == TORCH:
            command = ["/usr/bin/python3", "-B", os.path.join(HERE, "torch_peer.py"), self.networks, network, given, output]
        else:
            command = [self.a.fakesift, "models", "bench", onnx, "--input", given, "--output", output, "--on-request", *OURS[engine]]
        return Engine(engine, command, os.path.join(self.a.cache, f"{engine.replace(' ', '_')}.log"))

    def start_all(self, network, batch):
        """The engines that run this network, and why the others do not."""
        running, left_out = [], {}
        for engine in self.a.engines:
            if is_int8(network) and engine in LEFT_OUT_OF_INT8:
                continue
            try:
                running.append(self.start(engine, network, batch))
            except (Missing, OSError) as error:
                left_out[engine] = str(error)
        return running, left_out

    def measure(self, network, batch, peaks):
        running, left_out = self.start_all(network, batch)
        try:
            everyone = running + list(peaks.values())
            samples = {id(engine): [] for engine in everyone}
            for i in range(self.a.rounds):
                first = i % len(everyone)
                for engine in everyone[first:] + everyone[:first]:
                    samples[id(engine)].append(engine.round())
            return self.rows(network, batch, running, peaks, samples), left_out
        finally:
            for engine in running:
                engine.close()

    def rows(self, network, batch, running, peaks, samples):
        flops = next((int(e.facts[-2]) for e in running if e.name in OURS), None)
        # The least time: a limit is what the machine reaches at its best.
        peak = {kind: int(e.facts[-2]) / min(s[1] for s in samples[id(e)]) / 1e9 for kind, e in peaks.items()}
        by_name = {e.name: samples[id(e)] for e in running}
        reference = next((n for n in (ORT, TORCH) if n in by_name), None)
        rows = []
        for e in running:
            wall, cpu = ([s[i] for s in samples[id(e)]] for i in (0, 1))
            kind = "int8" if is_int8(network) else "bf16" if e.name.endswith("bf16") else "f32"
            row = {"network": network, "batch": batch, "engine": e.name,
                   "wall_ms_an_image": statistics.median(wall) * 1e3 / batch,
                   "cpu_ms_an_image": statistics.median(cpu) * 1e3 / batch,
                   "wall_ms_least_an_image": min(wall) * 1e3 / batch,
                   "runs_a_round": e.runs, "peak_rss_mib": e.peak_rss_mib()}
            if flops:
                row["gflops"] = flops / statistics.median(cpu) / 1e9
                if kind in peak:
                    row["share_of_peak"] = row["gflops"] / peak[kind]
            for peer in (ORT, TORCH):
                if peer in by_name and peer != e.name:
                    row[f"times_as_fast_as_{peer}"] = statistics.median(p[1] / s for p, s in zip(by_name[peer], cpu))
            if reference and e.name != reference:
                want, got = self.read_output(reference, network), self.read_output(e.name, network)
                largest = abs(want).max()
                row["error"] = float(abs(want - got).max() / largest) if want.shape == got.shape and largest > 0 else None
                row["error_against"] = reference
            rows.append(row)
        return rows, peak


def machine():
    facts = {"cpu": platform.processor(), "cores": os.cpu_count(), "kernel": platform.release(), "flags": [], "mhz": None}
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            key, _, value = (part.strip() for part in line.partition(":"))
            if key == "model name":
                facts["cpu"] = value
            elif key == "cpu MHz":
                facts["mhz"] = float(value)
            elif key == "flags":
                facts["flags"] = [w for w in value.split() if w.startswith(("avx", "amx", "fma"))]
    facts["load_before"] = os.getloadavg()[0]
    return facts


def cell(value, pattern):
    return "-" if value is None else pattern.format(value)


def markdown(result):
    m = result["machine"]
    yield (f"{result['date']}, {m['cpu']} ({m['cores']} cores, load {m['load_before']:.1f} before and {m['load_after']:.1f} after), one thread, "
           f"medians of {result['rounds']} interleaved rounds: `{result['command']}`")
    yield ""
    peaks = ", ".join(f"{kind} {value:.0f} GFLOP/s ({PEAKS[kind]})" for kind, value in result["peaks"].items())
    yield f"Limit, a 2048 x 2048 x 1024 product measured in the same rounds: {peaks or 'not measured'}."
    yield ""
    yield "| network | batch | engine | CPU ms an image | wall ms an image | GFLOP/s | share of limit | x ONNX Runtime | x PyTorch | peak RSS MiB | error |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for r in result["rows"]:
        yield "| " + " | ".join([
            r["network"], str(r["batch"]), r["engine"], f"{r['cpu_ms_an_image']:.3g}", f"{r['wall_ms_an_image']:.3g}",
            cell(r.get("gflops"), "{:.0f}"), cell(r.get("share_of_peak"), "{:.2f}"),
            cell(r.get(f"times_as_fast_as_{ORT}"), "{:.2f}"), cell(r.get(f"times_as_fast_as_{TORCH}"), "{:.2f}"),
            cell(r.get("peak_rss_mib"), "{:.0f}"), cell(r.get("error"), "{:.1e}")]) + " |"
    if result["left_out"]:
        yield ""
        for name, reason in sorted(result["left_out"].items()):
            yield f"- left out: {name}: {reason}"


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("fakesift")
    p.add_argument("--networks", default=DEFAULT_NETWORKS, help="of networks.py, with commas between")
    p.add_argument("--batches", default="1,16")
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--engines", default=",".join([*OURS, ORT, TORCH]))
    p.add_argument("--cache", default=".cache/bench-infer", help="where networks and ONNX Runtime are kept")
    p.add_argument("--json", help="where the figures go as JSON")
    p.add_argument("--markdown", help="where the table goes; it is printed in any case")
    a = p.parse_args()
    a.networks, a.engines = a.networks.split(","), a.engines.split(",")
    a.batches = [int(b) for b in a.batches.split(",")]
    if a.rounds < 1 or min(a.batches) < 1:
        p.error("--rounds and --batches are 1 or more")
    for engine in a.engines:
        if engine not in [*OURS, ORT, TORCH]:
            p.error(f"no engine '{engine}'; there are {', '.join([*OURS, ORT, TORCH])}")
    return a


def finish(a, result, peaks):
    """Writes what there is so far, since a run takes long; returns the table."""
    result["peaks"] = {kind: max(values) for kind, values in peaks.items()}
    result["machine"]["load_after"] = os.getloadavg()[0]
    text = "\n".join(markdown(result))
    for path, content in ((a.markdown, text), (a.json, json.dumps(result, indent=1))):
        if path:
            with open(path, "w", encoding="utf-8") as f:
                f.write(content + "\n")
    return text


def main():
    a = arguments()
    bench = Bench(a)
    result = {"bench": "infer", "date": time.strftime("%Y-%m-%d"), "command": "bench/infer/infer.py " + " ".join(sys.argv[2:]),
              "rounds": a.rounds, "machine": machine(), "peaks": {}, "rows": [], "left_out": {}}
    peaks, all_peaks = {}, {}
    for kind, engine in PEAKS.items():
        network = PEAK_NETWORKS.get(kind, "peak")
        try:
            bench.export(network, [1])
            peaks[kind] = bench.start(engine, network, 1)
        except Missing as error:
            result["left_out"][f"the limit's {kind} product"] = str(error)
    for network in a.networks:
        for batch in a.batches:
            try:
                bench.export(network, [batch])
                (rows, peak), left_out = bench.measure(network, batch, peaks)
            except Missing as error:
                result["left_out"][f"{network}, batch {batch}"] = str(error)
                continue
            for engine, reason in left_out.items():
                result["left_out"][f"{engine}, {network}, batch {batch}"] = reason
            for kind, value in peak.items():
                all_peaks.setdefault(kind, []).append(value)
            result["rows"] += rows
            for r in rows:
                print(f"{r['network']:16} {r['batch']:3} {r['engine']:22} {r['cpu_ms_an_image']:9.3f} ms CPU, {r['wall_ms_an_image']:9.3f} wall, "
                      f"{cell(r.get('gflops'), '{:7.1f}')} GFLOP/s, x ORT {cell(r.get(f'times_as_fast_as_{ORT}'), '{:.2f}')}, "
                      f"error {cell(r.get('error'), '{:.1e}')}", file=sys.stderr, flush=True)
            finish(a, result, all_peaks)
    for engine in peaks.values():
        engine.close()
    print(finish(a, result, all_peaks))
    return 0 if result["rows"] else 1


if __name__ == "__main__":
    sys.exit(main())
