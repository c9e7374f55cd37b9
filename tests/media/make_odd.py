#!/usr/bin/env python3
"""Makes the odd and broken files of tests/process/odd_files.sh from a table, and says what each must become.

usage: make_odd.py FOLDER
In: the ffmpeg program. Out: FOLDER/videos, and FOLDER/expected: for each file its path, its outcomes (joined by "|" where a
library decides between several) and how it was made, each ended by a zero byte. Nothing here depends on chance or time.
"""
import concurrent.futures
import os
import random
import socket
import struct
import subprocess
import sys

folder = os.path.abspath(sys.argv[1])
videos = os.path.join(folder, "videos").encode()
parts = os.path.join(folder, "parts")
os.makedirs(videos)
os.makedirs(parts)
table = []  # (name in bytes, outcomes, how)
waiting = []  # functions that need files of parts


def path(name):
    return os.path.join(videos, name if isinstance(name, bytes) else name.encode())


def part(name):
    return os.path.join(parts, name)


def expect(name, outcomes, how):
    table.append((name if isinstance(name, bytes) else name.encode(), outcomes, how))


def write(name, outcomes, how, data):
    with open(path(name), "wb") as f:
        f.write(data)
    expect(name, outcomes, how)


def read(name):
    with open(part(name), "rb") as f:
        return f.read()


# ---- what the ffmpeg program makes, all of it at the same time as far as there are cores

X264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -threads 1".split()
COPY = "-c copy".split()
jobs = []  # (function, arguments) in waves, since some need others


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments], check=True)


def picture(size="128x96", seconds=1.0, rate=25):
    return ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration={seconds}"]


def clip(name, outcomes, how, *options, source=None):
    expect(name, outcomes, how)
    jobs.append((source or picture()) + list(options) + [os.fsdecode(path(name))])


def base(name, *options, source=None):
    jobs.append((source or picture()) + list(options) + [part(name)])


def run_jobs():
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in [pool.submit(ffmpeg, *job) for job in jobs]:
            done.result()
    jobs.clear()


base("good.mp4", *X264)
base("one.mp4", *X264, "-frames:v", "1")
base("sound.m4a", "-c:a", "aac", source=["-f", "lavfi", "-i", "sine=duration=1"])
base("sound.wav", source=["-f", "lavfi", "-i", "sine=duration=1"])
base("sound.mp3", source=["-f", "lavfi", "-i", "sine=duration=1"])
base("sound.flac", source=["-f", "lavfi", "-i", "sine=duration=1"])
base("cover.jpg", "-frames:v", "1")
base("cover.png", "-frames:v", "1")
base("still.webp", "-frames:v", "1")
base("small.ts", *X264, source=picture("128x96", 0.6))
base("large.ts", *X264, source=picture("256x192", 0.6))
base("tiny.y4m", source=picture("16x16", 0.4))
base("vp8.ivf", "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8")
base("moving.gif", source=picture("64x48", 0.4, 25))
base("plain.avi", "-c:v", "mpeg4", "-q:v", "5", source=picture("128x96", 2))
run_jobs()
with open(part("words.srt"), "w") as f:
    f.write("1\n00:00:00,000 --> 00:00:01,000\nwords\n")
good = ["-i", part("good.mp4")]
base("fast.mp4", *COPY, "-movflags", "+faststart", source=good)
base("good.mkv", *COPY, source=good)
base("good.ts", *COPY, source=good)
base("fragmented.mp4", *COPY, "-movflags", "frag_keyframe+empty_moov", source=good)
base("long.mp4", *X264, "-g", "10", "-movflags", "+faststart", source=picture("128x96", 2))
run_jobs()

# Containers and codecs.
clip("tenbit.mp4", "scored", "H.264 of 10 bits", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le")
clip("hdr.mp4", "scored", "HEVC of 10 bits, PQ, BT.2020", "-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le",
     "-x265-params", "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:hdr10=1")
clip("hlg.mkv", "scored", "HEVC of 10 bits, HLG", "-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le",
     "-x265-params", "log-level=none:colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc")
clip("tenbit.webm", "scored", "VP9 of 10 bits", "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-pix_fmt",
     "yuv420p10le")
clip("chroma422.mov", "scored", "ProRes 4:2:2 of 10 bits", "-c:v", "prores_ks", "-profile:v", "0")
clip("alpha.mov", "scored", "QuickTime Animation with alpha", "-c:v", "qtrle", "-pix_fmt", "argb")
clip("alpha.webm", "scored", "VP9 with alpha", "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-pix_fmt",
     "yuva420p")
clip("gray.mkv", "scored", "grey FFV1", "-c:v", "ffv1", "-pix_fmt", "gray")
clip("palette.avi", "scored", "RGB of 8 bits with a palette", "-c:v", "rawvideo", "-pix_fmt", "pal8", "-vf",
     "split[a][b];[a]palettegen[p];[b][p]paletteuse")
clip("vp9.webm", "scored", "VP9", "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8")
clip("av1.mp4", "scored", "AV1", "-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-crf", "40",
     source=picture("64x48", 0.4))
clip("program.mpg", "scored", "MPEG-2 programme stream", "-c:v", "mpeg2video")
clip("interlaced.ts", "scored", "interlaced MPEG-2", "-c:v", "mpeg2video", "-flags", "+ildct+ilme")
clip("motion.avi", "scored", "Motion JPEG", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p")
clip("windows.wmv", "scored", "WMV 2", "-c:v", "wmv2")
clip("flash.flv", "scored", "Sorenson H.263 in FLV", "-c:v", "flv")
clip("theora.ogv", "scored", "Theora", "-c:v", "libtheora")
clip("moving.gif", "scored", "GIF animation", "-c:v", "gif")
clip("one.gif", "too_short", "GIF of one frame", "-frames:v", "1", "-c:v", "gif")
clip("moving.apng.mp4", "scored", "PNG animation under another name", "-f", "apng", "-plays", "0")
clip("camera.dv.mp4", "scored", "DV under another name", "-f", "dv", "-target", "pal-dv", "-an", source=picture("720x576", 0.4))
clip("broadcast.mxf", "scored", "MXF", "-c:v", "mpeg2video")
clip("UPPER.MP4", "scored", "an upper-case ending", *COPY, source=good)
clip("raw.h264", "scored", "a bare H.264 stream", *COPY, source=good)
clip("fragments.mp4", "scored", "fragments, no index", *COPY, "-movflags", "frag_keyframe+empty_moov", source=good)
clip("live.mkv", "scored", "Matroska without length and index", *COPY, "-live", "1", source=good)

# Pictures.
for angle in (90, 180, 270):
    clip(f"rotated{angle}.mp4", "scored", f"shown turned by {angle} degrees", *COPY, "-metadata:s:v:0", f"rotate={angle}",
         source=good)
clip("two_by_two.mp4", "scored", "2 x 2", *X264, source=picture("2x2"))
clip("one_pixel.mkv", "scored", "1 x 1", "-vf", "scale=1:1", "-c:v", "ffv1", "-pix_fmt", "gray")
clip("odd_sides.mkv", "scored", "127 x 95", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p",
     source=picture("127x95"))
clip("tall.mp4", "scored", "16 x 4000", *X264, source=picture("16x4000", 0.4))
clip("flat.mp4", "scored", "4000 x 16", *X264, source=picture("4000x16", 0.4))
clip("wide.mp4", "scored", "3840 x 2160", *X264, source=picture("3840x2160", 0.4))
clip("eight_k.mp4", "scored", "7680 x 4320", *X264, source=["-f", "lavfi", "-i", "color=red:size=7680x4320:rate=25:duration=0.32"])
clip("too_wide.mkv", "unsupported", "9000 x 16", "-c:v", "ffv1", "-pix_fmt", "gray", source=picture("9000x16", 0.4))
clip("stretched.mp4", "scored", "pixels of 4:3", "-vf", "setsar=4/3", *X264)
clip("absurd_pixels.mkv", "scored", "pixels of 1:200", "-vf", "setsar=1/200", *X264)

# Times.
clip("vfr.mp4", "scored", "variable frame rate", "-vf", "setpts='if(lt(N,12),N*0.02,0.24+(N-12)*0.2)/TB'", "-vsync", "vfr", *X264)
clip("jump.mp4", "too_short", "three hours between two frames", "-vf", "setpts='(N/25+gte(N,12)*10800)/TB'", "-vsync",
     "vfr", *X264)
clip("jump.ts", "too_short", "an hour between two packets", "-vf", "setpts='(N/25+gte(N,12)*3600)/TB'", "-vsync", "vfr",
     *X264)
clip("negative.mkv", "scored", "begins at -5 s", *COPY, "-output_ts_offset", "-5", "-avoid_negative_ts", "disabled", "-f", "matroska",
     source=good)
clip("late.mp4", "scored", "begins at an hour", *COPY, "-output_ts_offset", "3600", source=good)
clip("edited.mp4", "scored", "an edit list that begins between key frames", *COPY,
     source=["-ss", "0.3", "-i", part("good.mp4")])
clip("slow.mp4", "scored", "a frame in ten seconds", *X264, source=picture("64x48", 100, "1/10"))
clip("quick.mp4", "scored", "a thousand frames a second", *X264, source=picture("64x48", 0.1, 1000))
clip("same_time.mkv", "too_short", "all frames at the same time", "-vf", "setpts=0", "-vsync", "passthrough",
     *X264)

# Streams.
clip("sound.mp4", "no_video", "sound alone", *COPY, source=["-i", part("sound.m4a")])
for kind in ("wav", "mp3", "flac"):
    with open(part(f"sound.{kind}"), "rb") as f:
        write(f"{kind}.mp4", "no_video", f"{kind} under another name", f.read())
clip("cover.mp4", "no_video", "sound with a cover", "-map", "0", "-map", "1", *COPY, "-disposition:v:0", "attached_pic",
     source=["-i", part("sound.m4a"), "-i", part("cover.jpg")])
clip("video_and_cover.mp4", "scored", "a video with a larger cover", "-map", "0", "-map", "1", *COPY, "-disposition:v:1",
     "attached_pic", source=["-i", part("good.mp4"), "-i", part("cover.png")])
clip("several.mkv", "scored", "three video streams", "-map", "0:v", "-map", "1:v", "-map", "0:v", *COPY,
     source=[*good, "-i", part("large.ts")])
clip("subtitled.mkv", "scored", "video, sound, subtitles", "-map", "0", "-map", "1", "-map", "2", *COPY,
     source=[*good, "-i", part("sound.m4a"), "-i", part("words.srt")])
clip("subtitles.mkv", "no_video", "subtitles alone", *COPY, source=["-i", part("words.srt")])
clip("subtitles.mp4", "no_video", "subtitles alone", "-c:s", "mov_text", source=["-i", part("words.srt")])
clip("attached.mkv", "no_video", "sound and an attached file", *COPY, "-attach", part("words.srt"), "-metadata:s:t",
     "mimetype=application/x-font", source=["-i", part("sound.m4a")])
clip("encrypted.mp4", "decode_error", "encrypted (cenc)", *COPY, "-encryption_scheme", "cenc-aes-ctr",
     "-encryption_key", "76a6c65c5ea762046bd749a2e632ccbb", "-encryption_kid", "a7e61c373e219033c21091fa607bf3b8", source=good)

# Few frames.
clip("one_frame.mp4", "too_short", "one frame", *X264, "-frames:v", "1")
clip("three_frames.mp4", "too_short", "three frames", *X264, "-frames:v", "3")
clip("no_frame.mp4", "no_video", "no frame", *COPY, "-t", "0", source=good)
run_jobs()

GOOD, FAST, MKV, TS, AVI, FRAG, LONG = (read(n) for n in ("good.mp4", "fast.mp4", "good.mkv", "good.ts", "plain.avi",
                                                       "fragmented.mp4", "long.mp4"))
write("resized.ts", "scored", "another size in mid-stream", read("small.ts") + read("large.ts") + read("small.ts"))
write("still.png.mp4", "no_video", "a PNG picture", read("cover.png"))
write("still.jpg.mp4", "no_video", "a JPEG picture", read("cover.jpg"))
write("still.webp.mp4", "unsupported", "a WebP picture", read("still.webp"))

# ---- cut at every tenth


def cut(stem, ending, data, outcomes):
    for tenth in range(1, 10):
        write(f"{stem}_cut_{tenth}.{ending}", outcomes[tenth - 1], f"the first {tenth} tenths", data[: len(data) * tenth // 10])


P, D, S, F = "partial_decode", "decode_error", "scored", "too_short"
cut("tail_index", "mp4", GOOD, [D] * 9)
cut("front_index", "mp4", LONG, [D, D, *[P] * 7])
cut("matroska", "mkv", MKV, [D, F, F, *[P] * 6])
cut("transport", "ts", TS, [D, F, F, *[S] * 6])  # nothing says how long it was
cut("riff", "avi", AVI, [D, P, P, P, *[S] * 5])
cut("fragment", "mp4", FRAG, [D, D, D, *[P] * 6])

# ---- boxes that lie


def change(data, text, offset, new, nth=0):
    """new in the place of what lies offset behind the nth text."""
    at = -1
    for _ in range(nth + 1):
        at = data.index(text, at + 1)
    return data[: at + offset] + new + data[at + offset + len(new):]


def be32(n):
    return struct.pack(">I", n)


for name, n in (("2g", 0x80000000), ("4g", 0xFFFFFFFF), ("0", 0), ("7", 7)):
    # Sizes that are too large are taken for "to the end", which they are here; smaller than its own head a box is none.
    for box, outcomes in (("moov", "decode_error"), ("mdat", "scored"), ("trak", "no_video"), ("stbl", "decode_error")):
        write(f"box_{box}_{name}.mp4", outcomes if n == 7 else "scored", f"{box}'s size is {n}", change(FAST, box.encode(), -4, be32(n)))
huge = change(FAST, b"mdat", -4, be32(1))
huge = change(huge, b"mdat", 4, struct.pack(">Q", 2**63 - 1))
write("box_mdat_63bit.mp4", "decode_error", "mdat's size is 2^63 - 1", huge)
write("samples_4g.mp4", "decode_error", "4,294,967,295 samples", change(FAST, b"stsz", 12, be32(0xFFFFFFFF)))
write("sample_size_4g.mp4", "decode_error", "each sample has 4 GiB", change(FAST, b"stsz", 8, be32(0xFFFFFFFF)))
write("chunks_4g.mp4", "decode_error", "4,294,967,295 chunks", change(FAST, b"stco", 8, be32(0xFFFFFFFF)))
write("chunk_outside.mp4", "decode_error", "the first chunk lies behind the end", change(FAST, b"stco", 12, be32(0x7FFFFFFF)))
write("times_4g.mp4", "decode_error", "4,294,967,295 time steps", change(FAST, b"stts", 8, be32(0xFFFFFFFF)))
write("time_step_4g.mp4", "scored", "a time step of 2^32 - 1", change(FAST, b"stts", 16, be32(0xFFFFFFFF)))
write("timescale_0.mp4", "too_short", "a time scale of 0", change(FAST, b"mdhd", 16, be32(0)))
write("timescale_4g.mp4", "too_short", "a time scale of 2^32 - 1", change(FAST, b"mdhd", 16, be32(0xFFFFFFFF)))
write("duration_4g.mp4", "scored", "a duration of 2^32 - 2", change(FAST, b"mdhd", 20, be32(0xFFFFFFFE)))
write("edit_4g.mp4", "decode_error", "an edit that begins at 2^31 - 1", change(FAST, b"elst", 16, be32(0x7FFFFFFF)))
write("edits_4g.mp4", "scored", "4,294,967,295 edits", change(FAST, b"elst", 8, be32(0xFFFFFFFF)))
write("picture_4g.mp4", "scored", "a picture of 65535 x 65535 in the container", change(FAST, b"avc1", 28, be32(0xFFFFFFFF)))
write("other_file.mp4", "scored", "its data lie in another file", change(FAST, b"url ", 4, be32(0)))
write("unknown_codec.mp4", "unsupported", "a codec that nobody knows", change(FAST, b"avc1", 0, b"zzz1", nth=FAST[:40].count(b"avc1")))
at = FAST.index(b"mdat") - 4
write("index_alone.mp4", "decode_error", "an index without data", FAST[:at])
at = GOOD.index(b"moov") - 4
write("data_alone.mp4", "decode_error", "data without an index", GOOD[:at])
write("brand_alone.mp4", "decode_error", "the first box alone", GOOD[: GOOD.index(b"ftyp") - 4 + struct.unpack(">I", GOOD[:4])[0]])
write("two_in_one.mp4", "scored", "two files, one behind the other", FAST + FAST)
nest = b""
for i in range(5000):
    nest = be32(len(nest) + 8) + b"moov" + nest
write("nested.mp4", "decode_error", "5,000 boxes in each other", GOOD[:32] + nest)
ebml = b"\x1a\x45\xdf\xa3\x01\xff\xff\xff\xff\xff\xff\xff"
write("ebml_endless.mkv", "decode_error", "a Matroska header without an end", ebml + b"\x42\x82\x88matroska" + ebml * 1000)
write("cues_lie.mkv", "decode_error", "elements of Matroska that claim all of the file", MKV.replace(b"\x1f\x43\xb6\x75", b"\x1f\x43\xb6\x75\x08\xff\xff\xff\xff\xff\xff\xff", 1))
write("riff_4g.avi", "scored", "chunks of 4 GiB", AVI.replace(b"LIST" + AVI[AVI.index(b"LIST") + 4: AVI.index(b"LIST") + 8], b"LIST\xff\xff\xff\xff", 1))
write("riff_picture_2g.avi", "unsupported", "a picture of 2^31 - 1 a side", change(AVI, b"strf", 12, struct.pack("<II", 0x7FFFFFFF, 0x7FFFFFFF)))
write("ivf_16383.ivf", "unsupported", "VP8 of 16383 x 16383", change(read("vp8.ivf"), b"VP80", 4, struct.pack("<HH", 16383, 16383)))
write("huge.gif", "unsupported", "GIF of 65535 x 65535",
      b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;")
write("huge.y4m", "decode_error", "2,000,000,000 pixels a side", b"YUV4MPEG2 W2000000000 H2000000000 F25:1\nFRAME\n0000")
write("header.y4m", "decode_error", "no frame behind a header", b"YUV4MPEG2 W64 H64 F25:1\n")
write("rate_0.y4m", "scored", "a frame rate of 1 / 0", read("tiny.y4m").replace(b"F25:1", b"F25:0", 1))

# ---- damage

rng = random.Random(7)
flipped = bytearray(LONG)
for at in range(LONG.index(b"mdat") + 4000, len(flipped), 997):
    flipped[at] ^= 1 << rng.randrange(8)
write("flipped_bits.mp4", "scored|partial_decode", "a bit in a thousand bytes of the pictures flipped", bytes(flipped))
middle = LONG.index(b"mdat") + (len(LONG) - LONG.index(b"mdat")) // 2
write("hole.mp4", "scored|partial_decode", "4 KiB of zeros in the pictures", LONG[:middle] + bytes(4096) + LONG[middle + 4096:])
write("junk_before.mp4", "no_video", "1 KiB of junk before the first box", rng.randbytes(1024) + FAST)
write("junk_behind.mp4", "scored", "1 KiB of junk behind the last box", FAST + rng.randbytes(1024))
write("pictures_of_junk.mp4", "decode_error", "the pictures are junk",
      LONG[: LONG.index(b"mdat") + 4] + rng.randbytes(len(LONG) - LONG.index(b"mdat") - 4))
write("packets_lost.ts", "scored|partial_decode", "every twentieth packet lost",
      b"".join(TS[i: i + 188] for i in range(0, len(TS), 188) if i // 188 % 20 != 13))
write("frames_lost.avi", "partial_decode", "the middle third is missing", AVI[: len(AVI) // 3] + AVI[2 * len(AVI) // 3:])
write("backwards.mp4", "no_video", "the bytes backwards", FAST[::-1])

# ---- no media at all; lists of other files are not followed

write("empty.mp4", "no_video", "no byte", b"")
write("one_byte.mp4", "no_video", "one byte", b"\0")
write("text.mp4", "no_video", "a text", b"a text\n")
write("zeros.mp4", "no_video", "100,000 zeros", bytes(100000))
write("random.mp4", "no_video", "100,000 random bytes", rng.randbytes(100000))
write("page.mp4", "no_video", "a web page", b"<!DOCTYPE html><html><video src=good.mp4></video></html>\n")
write("program.mp4", "no_video", "an ELF program", b"\x7fELF\x02\x01\x01" + bytes(5000))
write("zip.mp4", "no_video", "the head of a ZIP archive", b"PK\x03\x04\x14\0\0\0\x08\0" + bytes(5000))
write("words.mp4", "no_video", "subtitles as text", b"1\n00:00:00,000 --> 00:00:01,000\nwords\n")
write("playlist.mp4", "no_video", "an HLS list", b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\ngood.mp4\n#EXT-X-ENDLIST\n")
write("playlist_of_secrets.m3u8.mp4", "no_video", "an HLS list that leads out",
      b"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1,\nfile:///etc/passwd\n#EXTINF:1,\nhttp://127.0.0.1/\n#EXT-X-ENDLIST\n")
write("concat.mp4", "no_video", "a concat list", b"ffconcat version 1.0\nfile good.mp4\n")
write("manifest.mpd.mp4", "no_video", "a DASH manifest",
      b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet><Representation>'
      b"<BaseURL>good.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>\n")
write("session.sdp.mp4", "no_video", "a session description", b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
      b"m=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n")
for name, size in (("sparse_10g.mp4", 10 << 30), ("sparse_1t.mp4", 1 << 40)):
    with open(path(name), "wb") as f:
        f.truncate(size)
    expect(name, "no_video", f"{size >> 30} GiB without a byte on the disk")
with open(path("sparse_behind.mp4"), "wb") as f:
    f.write(FAST)
    f.truncate(10 << 30)
expect("sparse_behind.mp4", "scored", "a good video and 10 GiB of nothing behind it")

# ---- not regular files, and links

write("good.mp4", "scored", "nothing odd", GOOD)
write("fast.mp4", "scored", "its index in front", FAST)
os.mkdir(path("folder.mp4"))
os.mkdir(path("inside.mp4"))
write("inside.mp4/deep.mp4", "scored", "in a folder with a video's name", GOOD)
os.mkfifo(path("fifo.mp4"))
expect("fifo.mp4", "no_video", "a FIFO")
here = os.getcwd()
os.chdir(videos)
socket.socket(socket.AF_UNIX).bind("socket.mp4")
os.chdir(here)
expect("socket.mp4", "missing", "a socket")
for name, to, outcomes in (("link.mp4", "good.mp4", "scored"), ("dangling.mp4", "nowhere", "missing"),
                           ("loop_a.mp4", "loop_b.mp4", "missing"), ("loop_b.mp4", "loop_a.mp4", "missing"),
                           ("loop_self.mp4", "loop_self.mp4", "missing"), ("device.mp4", "/dev/zero", "no_video"),
                           ("terminal.mp4", "/dev/tty", "no_video|missing"), ("memory.mp4", "/proc/self/mem", "no_video")):
    os.symlink(to, path(name))
    expect(name, outcomes, f"a link to {to}")
os.symlink(".", path("itself"))  # a folder that is not followed again
write("unreadable.mp4", "scored" if os.getuid() == 0 else "missing", "no permission", GOOD)
os.chmod(path("unreadable.mp4"), 0)
os.mkdir(path("shut"))
write("shut/inside.mp4", "scored", "in a folder without permission (root alone sees it)", GOOD)
if os.getuid() == 0:
    os.chmod(path("shut"), 0)
deep = b"/".join([b"d" * 50] * 40)
os.makedirs(path(deep))
write(deep + b"/deep.mp4", "scored", "below 40 folders", GOOD)

# ---- names

for name in (b"new\nline.mp4", b"quo\"te, 's.mp4", b"<img src=x onerror=alert(1)>.mp4", b"&lt;b&gt;&amp;.mp4", b"latin\xe9\xff.mp4",
             b"-o.mp4", b"=1+1.mp4", b"+1.mp4", b"@x.mp4", b" blank .mp4", b"tab\tcr\r.mp4", b"escape\x1b[31m.mp4",
             b"back\\slash.mp4", b"right\xe2\x80\xaeleft.mp4", b"a" * 251 + b".mp4", b"%s%n.mp4", b"'apostrophe.mp4", b"$(id).mp4",
             b"`id`;id|id&.mp4", b"*.mp4", b"concat:x.mp4", b"file:%2e%2e.mp4", b"null\xef\xbf\xbe.mp4"):
    write(name, "scored", "its name", GOOD)
for name in (".hidden.mp4", "no_extension"):  # left out of the corpus
    with open(path(name), "wb") as f:
        f.write(GOOD)

with open(os.path.join(folder, "expected"), "wb") as f:
    for name, outcomes, how in table:
        f.write(name + b"\0" + outcomes.encode() + b"\0" + how.encode() + b"\0")
if len({name for name, _, _ in table}) != len(table):
    sys.exit("two files of the same name")
print(len(table), "odd files")
