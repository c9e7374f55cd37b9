#!/usr/bin/env python3
"""Makes damaged copies of clips, the same ones for the same seed.

usage: mutate.py N SEED OUT CLIP...
In: clips of any container. Out: OUT/00000_HOW_NAME.mp4 and so on; HOW says what was done, so that a find can be told of.
"""
import os
import random
import struct
import sys

MOST_BYTES = 4 << 20
EDGES = [0, 1, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF]
BOXES = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf", b"mvex", b"dinf"}


def span(rng, data, most):
    at = rng.randrange(len(data))
    return at, min(len(data), at + rng.randrange(1, most + 1))


def bits(rng, data, other):
    for _ in range(rng.choice((1, 8, 100))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def bits_in_front(rng, data, other):
    for _ in range(rng.choice((1, 4, 16))):
        data[rng.randrange(min(len(data), 4096))] ^= 1 << rng.randrange(8)
    return data


def bits_at_back(rng, data, other):
    for _ in range(rng.choice((1, 4, 16))):
        data[-1 - rng.randrange(min(len(data), 4096))] ^= 1 << rng.randrange(8)
    return data


def edges(rng, data, other):
    for _ in range(rng.choice((1, 4))):
        at = rng.randrange(min(len(data), rng.choice((200, 4096, len(data)))))
        new = struct.pack(rng.choice("<>") + rng.choice("IHQ"), rng.choice(EDGES) & 0xFFFF)
        if len(new) >= 4:
            new = struct.pack(rng.choice("<>") + "I", rng.choice(EDGES))
        data[at: at + len(new)] = new
    return data


def cut(rng, data, other):
    return data[: rng.randrange(1, len(data) + 1)]


def head_cut(rng, data, other):
    return data[rng.randrange(len(data)):]


def hole(rng, data, other):
    at, end = span(rng, data, 8192)
    data[at:end] = bytes(end - at)
    return data


def junk(rng, data, other):
    at, end = span(rng, data, 2048)
    data[at:end] = rng.randbytes(end - at)
    return data


def removed(rng, data, other):
    at, end = span(rng, data, 8192)
    del data[at:end]
    return data


def inserted(rng, data, other):
    at = rng.randrange(len(data))
    data[at:at] = rng.randbytes(rng.randrange(1, 512))
    return data


def copied(rng, data, other):
    at, end = span(rng, data, 8192)
    to = rng.randrange(len(data))
    block = data[at:end]
    data[to: to + rng.choice((0, len(block)))] = block
    return data


def swapped(rng, data, other):
    n = rng.randrange(1, 4096)
    if len(data) < 4 * n:
        return data
    a, b = rng.randrange(len(data) // 2 - n), len(data) // 2 + rng.randrange(len(data) // 2 - n)
    data[a: a + n], data[b: b + n] = data[b: b + n], data[a: a + n]
    return data


def spliced(rng, data, other):
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)):]


def boxes_of(data, at, end, depth=0):
    """(start, size, depth) of each ISO box of a well-formed file."""
    found = []
    while at + 8 <= end and depth < 8:
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8 or at + size > end:
            break
        found.append((at, size, depth))
        if bytes(kind) in BOXES:
            found += boxes_of(data, at + 8, at + size, depth + 1)
        at += size
    return found


def boxes(rng, data, other):
    found = boxes_of(data, 0, len(data))
    if len(found) < 4:
        return bits_in_front(rng, data, other)
    for _ in range(rng.choice((1, 2, 3))):
        (a, size_a, _), (b, size_b, _) = rng.sample(found, 2)
        kind = rng.randrange(5)
        if kind == 0:
            data[a: a + 4] = struct.pack(">I", rng.choice(EDGES))
        elif kind == 1:
            data[a + 4: a + 8], data[b + 4: b + 8] = data[b + 4: b + 8], data[a + 4: a + 8]
        elif kind == 2 and size_a > 12:
            at = a + 8 + 4 * rng.randrange((size_a - 8) // 4)
            data[at: at + 4] = struct.pack(">I", rng.choice(EDGES))
        elif kind == 3 and size_a < 65536:
            return data[:b] + data[a: a + size_a] + data[b:]
        elif max(a, b) >= min(a + size_a, b + size_b):  # neither in the other
            (a, size_a), (b, size_b) = sorted(((a, size_a), (b, size_b)))
            return data[:a] + data[b: b + size_b] + data[a + size_a: b] + data[a: a + size_a] + data[b + size_b:]
    return data


KINDS = [bits, bits_in_front, bits_at_back, edges, cut, head_cut, hole, junk, removed, inserted, copied, swapped, spliced, boxes,
         boxes]


def main():
    n, seed, out, clips = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sorted(sys.argv[4:], key=os.path.basename)
    os.makedirs(out)
    random.Random(seed).shuffle(clips)
    for i in range(n):
        rng = random.Random(seed * 1000003 + i)
        name = clips[i % len(clips)]
        with open(name, "rb") as f:
            data = bytearray(f.read(MOST_BYTES))
        with open(rng.choice(clips), "rb") as f:
            other = bytearray(f.read(MOST_BYTES))
        did = []
        for _ in range(rng.choice((1, 1, 2))):
            kind = rng.choice(KINDS)
            if len(data) > 16:
                data = kind(rng, data, other)
                did.append(kind.__name__)
        # A corpus is told by its endings.
        with open(os.path.join(out, f"{i:05}_{'_'.join(did)}_{os.path.basename(name)}.mp4"), "wb") as f:
            f.write(data)


main()
