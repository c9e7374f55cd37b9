#!/usr/bin/python3
"""CPU of a whole run (open, decode 16 uniform frames, two small networks, journal, report) beside a full decode of the same
clips by the ffmpeg program on one thread.

    bench/decode.py FAKESIFT SOURCE_FOLDER [--clips FOLDER] [--repeat N] [--json FILE]

Without --clips it makes four 10 s 1080p H.264 clips with detail and motion in every frame. Measures are interleaved, one after
the other in each round; the figure is the median of the rounds' ratios. Limit: what the full decode costs; below 1 the run
reads less than the whole file needs.
"""
import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time


def cpu_s(command):
    """User and system time of the command and all that it starts and waits for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def make_clips(folder):
    for i in range(4):
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i",
                        f"mandelbrot=size=1920x1080:rate=30:start_scale={1 + i}", "-t", "10", "-vf",
                        f"noise=alls=6:allf=t:all_seed={i}", "-c:v", "libx264", "-preset", "medium", "-crf", "26",
                        "-g", "250", "-pix_fmt", "yuv420p", os.path.join(folder, f"{i}.mp4")], check=True)


def cpu_model():
    for line in open("/proc/cpuinfo", encoding="utf-8"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("fakesift")
    a.add_argument("source")
    a.add_argument("--clips")
    a.add_argument("--repeat", type=int, default=5)
    a.add_argument("--json")
    a = a.parse_args()
    with tempfile.TemporaryDirectory() as work:
        clips = a.clips
        if not clips:
            clips = os.path.join(work, "clips")
            os.mkdir(clips)
            make_clips(clips)
        files = sorted(os.path.join(clips, f) for f in os.listdir(clips))
        card = os.path.join(a.source, "tests/data/detectors/tiny-gru/card.json")
        rounds = []
        for i in range(a.repeat):
            ours = cpu_s([a.fakesift, "run", clips, "--detector", card, "-o", os.path.join(work, f"run{i}"), "--lanes", "1", "-q"])
            full = sum(cpu_s(["ffmpeg", "-nostdin", "-threads", "1", "-i", f, "-an", "-f", "null", "-"]) for f in files)
            rounds.append((ours, full))
    result = {
        "bench": "decode", "date": time.strftime("%Y-%m-%d"), "cpu": cpu_model(), "clips": len(files), "rounds": len(rounds),
        "run_cpu_s_per_clip": statistics.median(r[0] for r in rounds) / len(files),
        "full_decode_cpu_s_per_clip": statistics.median(r[1] for r in rounds) / len(files),
        "ratio": statistics.median(r[0] / r[1] for r in rounds),
    }
    print(f"a clip: run {result['run_cpu_s_per_clip']:.3f} s of CPU, full decode by ffmpeg {result['full_decode_cpu_s_per_clip']:.3f} s; "
          f"ratio {result['ratio']:.2f} (median of {len(rounds)} rounds, {len(files)} clips, {result['cpu']})")
    if a.json:
        with open(a.json, "w", encoding="utf-8") as f:
            json.dump(result, f, indent=1)


if __name__ == "__main__":
    sys.exit(main())
