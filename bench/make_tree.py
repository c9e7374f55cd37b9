#!/usr/bin/env python3
"""make_tree.py N FOLDER: a corpus of N tiny valid media files for timing `fakesift scan`: hard links to a few distinct clips
that the ffmpeg program makes, 1,000 a folder, three quarters of them fakes.
In: N, a folder that is not there. Out: FOLDER/real/*/*.mp4, FOLDER/fake/FAMILY/*/*.mp4. Linux bounds the links of a file
(65,000 on ext4), so each clip is copied anew as often as that takes."""
import os, shutil, subprocess, sys

LINKS, A_FOLDER = 60000, 1000
FAMILIES = ["faceswap", "lip-sync", "reenactment"]
CLIPS = [("mp4", "libx264", "64x64"), ("mp4", "mpeg4", "80x48"), ("mkv", "libx264", "96x64"), ("webm", "libvpx", "64x48"),
         ("mp4", "libx264", "128x72")]


def main():
    n, root = int(sys.argv[1]), sys.argv[2]
    os.makedirs(os.path.join(root, ".clips"))
    sources = []
    for k, (extension, codec, size) in enumerate(CLIPS):
        path = os.path.join(root, ".clips", f"{k}.{extension}")
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25:duration=0.4",
                        "-c:v", codec, "-pix_fmt", "yuv420p", path], check=True)
        sources.append([path, extension, 0])
    for i in range(n):
        source = sources[i % len(sources)]
        if source[2] == LINKS:
            copy = f"{source[0][:-len(source[1]) - 1]}x.{source[1]}"
            shutil.copy(source[0], copy)
            source[0], source[2] = copy, 0
        kind = "real" if i % 4 == 0 else "fake/" + FAMILIES[i % 4 - 1]
        folder = os.path.join(root, kind, f"{i // (4 * A_FOLDER):05d}")
        if i % (4 * A_FOLDER) < 4:
            os.makedirs(folder, exist_ok=True)
        os.link(source[0], os.path.join(folder, f"{i:08d}.{source[1]}"))
        source[2] += 1


main()
