#!/usr/bin/python3
"""What nodes/tone_map.c should give, computed with numpy in double precision and without its tables. Prints the cases of
tests/nodes/test_picture.c: curve, BT.2020 or not, three 16-bit codes, three 8-bit values."""
import numpy as np

M1, M2, C1, C2, C3 = 2610 / 16384, 2523 / 4096 * 128, 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
PEAK, WHITE = 1000.0, 203.0


def pq_to_nits(e):
    p = np.power(e, 1 / M2)
    return 10000 * np.power(np.maximum(p - C1, 0) / (C2 - C3 * p), 1 / M1)


def nits_to_pq(y):
    p = np.power(y / 10000, M1)
    return np.power((C1 + C2 * p) / (1 + C3 * p), M2)


def eetf(nits):
    source = nits_to_pq(PEAK)
    most = nits_to_pq(WHITE) / source
    knee = 1.5 * most - 0.5
    e1 = nits_to_pq(min(nits, PEAK)) / source
    if e1 >= knee:
        t = (e1 - knee) / (1 - knee)
        e1 = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * most
    return pq_to_nits(e1 * source)


def screen_light(curve, codes, primaries):
    e = np.array(codes) / 65535
    if curve == "pq":
        return np.minimum(pq_to_nits(e), PEAK)
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    scene = np.where(e <= 0.5, e * e / 3, (np.exp((e - c) / a) + b) / 12)
    luma = scene @ ((0.2627, 0.6780, 0.0593) if primaries else (0.2126, 0.7152, 0.0722))
    return PEAK * scene * luma**0.2


def tone_map(curve, primaries, codes):
    light = screen_light(curve, codes, primaries)
    peak = light.max()
    light = light * (eetf(peak) / peak if peak > 0 else 0) / WHITE
    if primaries:
        light = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]) @ light
    return np.rint(255 * np.clip(light, 0, 1) ** (1 / 2.4)).astype(int)


for curve in ("pq", "hlg"):
    for primaries in (1, 0):
        for codes in ((0, 0, 0), (20000,) * 3, (33000,) * 3, (38000,) * 3, (49200,) * 3, (65535,) * 3, (40000, 20000, 10000),
                      (30000, 45000, 20000), (15000, 16000, 47000), (65535, 1000, 1000)):
            r = tone_map(curve, primaries, codes)
            print(f"{{{'TONE_' + curve.upper()}, {primaries}, {{{codes[0]}, {codes[1]}, {codes[2]}}}, "
                  f"{{{r[0]}, {r[1]}, {r[2]}}}}},")
