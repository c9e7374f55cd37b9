#!/usr/bin/python3
"""PyTorch as a peer of bench/infer: one network, one batch, one thread, timed on request (as ort_peer.js).

    torch_peer.py FOLDER NAME INPUT.npy OUTPUT.f32
"""
import sys
import time

import numpy
import torch

import networks


def main():
    folder, name, given, output = sys.argv[1:]
    torch.set_num_threads(1)
    net = networks.load(folder, name)
    x = torch.from_numpy(numpy.load(given))
    with torch.inference_mode():
        for _ in range(3):
            y = net(x)
        y.numpy().astype("<f4").tofile(output)
        print("ready PyTorch", torch.__version__, flush=True)
        for line in sys.stdin:
            cpu, began = time.process_time(), time.perf_counter()
            for _ in range(int(line)):
                net(x)
            print(time.perf_counter() - began, time.process_time() - cpu, flush=True)


if __name__ == "__main__":
    sys.exit(main())
