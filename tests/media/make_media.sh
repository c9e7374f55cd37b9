#!/bin/sh
# Makes the small clips that the decoder's tests read, with the ffmpeg program, and beside each NAME a NAME.times (the
# frames' times by ffprobe, in seconds) and for some a NAME.rgb (the frames by ffmpeg, packed RGB).
# usage: make_media.sh FOLDER
# Nothing is done when the folder already holds the clips of this very script.
# shellcheck disable=SC2086 # lists of options are split on purpose
set -eu

out=$1
stamp=$(cksum <"$0")
mkdir -p "$out"
cd "$out"
# Tests of several builds may ask for them at once.
exec 9>lock
flock 9
if [ -f made ] && [ "$(cat made)" = "$stamp" ]; then
    exit 0
fi
rm -f made

run() {
    ffmpeg -nostdin -v error -y -threads 2 "$@"
}

# A picture that differs in every frame and everywhere.
source_of() { # seconds, size, rate
    printf 'testsrc2=size=%s:rate=%s:duration=%s,noise=alls=8:allf=t:all_seed=7' "$2" "$3" "$1"
}
src=$(source_of 4 160x120 25)
x264='-c:v libx264 -preset veryfast -g 24 -bf 3 -b_strategy 0 -pix_fmt yuv420p -crf 28'

make() { # output, then ffmpeg's options
    name=$1
    shift
    run -f lavfi -i "$src" "$@" "$name"
}

make h264.mp4 $x264
run -i h264.mp4 -c copy h264.mkv
run -i h264.mp4 -c copy h264.ts
run -i h264.mp4 -c copy h264.flv
run -i h264.mp4 -c copy h264.264
run -i h264.mp4 -c copy -movflags frag_keyframe+empty_moov fragmented.mp4
run -i h264.mp4 -c copy -movflags frag_keyframe+empty_moov+default_base_moof+dash+global_sidx dash.mp4
run -i h264.mp4 -c copy -movflags faststart faststart.mp4
run -i h264.mp4 -c copy -f matroska - >live.mkv
run -ss 0.7 -i h264.mp4 -c copy edit_list.mp4
run -i h264.mp4 -c copy -output_ts_offset 1.5 offset.mp4
run -i h264.mp4 -c copy -output_ts_offset 1.5 offset.mkv
run -i h264.mp4 -c copy -output_ts_offset 1.5 offset.ts
make open_gop.mp4 $x264 -x264opts open_gop=1:keyint=24:min-keyint=24:scenecut=0
run -i open_gop.mp4 -c copy open_gop.mkv
make intra_refresh.mp4 $x264 -x264opts intra-refresh=1:keyint=24
make pyramid.mp4 $x264 -x264opts b-pyramid=normal:bframes=5:ref=4
make high10.mp4 $x264 -pix_fmt yuv420p10le
make interlaced.ts $x264 -flags +ildct+ilme
make interlaced.mp4 $x264 -flags +ildct+ilme
make hevc.mp4 -c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=24:open-gop=0:bframes=3
make hevc_open.mkv -c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=24:open-gop=1:bframes=3
run -i hevc_open.mkv -c copy hevc_open.mp4
make hevc_layers.mp4 -c:v libx265 -preset ultrafast -x265-params \
    log-level=none:keyint=24:bframes=3:b-adapt=0:temporal-layers=1
run -i hevc.mp4 -c copy hevc.hevc
make vp9.webm -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 24
make vp8.webm -c:v libvpx -deadline realtime -cpu-used 8 -g 24 -auto-alt-ref 1
run -i vp9.webm -c copy vp9.mp4
run -i vp9.webm -c copy vp9.ivf
make av1.mp4 -c:v libaom-av1 -cpu-used 8 -usage realtime -g 24 -crf 40
run -i av1.mp4 -c copy av1.mkv
make mpeg4.mp4 -c:v mpeg4 -g 12 -q:v 5
make mpeg4_b.mp4 -c:v mpeg4 -g 12 -bf 2 -q:v 5
make mpeg4_b.avi -c:v mpeg4 -g 12 -bf 2 -q:v 5
make mpeg4_b.mkv -c:v mpeg4 -g 12 -bf 2 -q:v 5
make xvid_packed.avi -c:v mpeg4 -vtag XVID -g 12 -bf 1 -q:v 5
make mpeg4.m4v -c:v mpeg4 -g 12 -bf 2 -q:v 5 -f m4v
make mpeg2.ts -c:v mpeg2video -g 12 -bf 2 -q:v 5
make mpeg2_interlaced.ts -c:v mpeg2video -g 12 -bf 2 -q:v 5 -flags +ildct+ilme
make mpeg2.mxf -c:v mpeg2video -g 12 -q:v 5
make mpeg1.mpg -c:v mpeg1video -g 12 -bf 2 -q:v 5
make mpeg1.m1v -c:v mpeg1video -g 12 -bf 2 -q:v 5
make mjpeg.avi -c:v mjpeg -q:v 5 -pix_fmt yuvj420p
make mjpeg.mov -c:v mjpeg -q:v 5 -pix_fmt yuvj420p
make wmv2.wmv -c:v wmv2 -g 12 -q:v 5
make theora.ogv -c:v libtheora -g 12 -q:v 5
make moving.gif -pix_fmt pal8
make moving.apng -f apng -plays 0

make vp9_hidden.webm -c:v libvpx-vp9 -deadline good -cpu-used 5 -g 48 -auto-alt-ref 1 -lag-in-frames 16 -b:v 200k
make prores.mov -c:v prores_ks -profile:v 2
make prores_alpha.mov -vf format=yuva444p10le -c:v prores_ks -profile:v 4444
make h422.mp4 $x264 -pix_fmt yuv422p
make hevc_444_10.mkv -c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=24 -pix_fmt yuv444p10le
make moving.webp -c:v libwebp_anim -frames:v 5 -loop 0

# Colours far from the edges of what RGB can show.
make soft.mp4 -vf 'eq=saturation=0.3:contrast=0.6' $x264
make soft_422.mp4 -vf 'eq=saturation=0.3:contrast=0.6' $x264 -pix_fmt yuv422p
make soft_full.avi -vf 'eq=saturation=0.3:contrast=0.6' -c:v mjpeg -q:v 5 -pix_fmt yuvj420p
run -i soft.mp4 -c copy -metadata:s:v rotate=90 soft_90.mp4

# Two programmes one after the other, the second one's times from 0 again.
run -ss 2 -i h264.mp4 -t 1.5 -c copy second.ts
cat h264.ts second.ts >joined.ts
rm second.ts
# Two frames in a row have one time.
run -i mjpeg.mov -c copy -bsf:v 'setts=ts=floor(N/2)*1024' repeated.mkv

# Light beyond a standard screen's: a ramp of sixteen greys.
ramp='nullsrc=size=256x64:rate=25:duration=0.5,format=gray10le,geq=lum=1023*floor(X/16)/15'
hdr() { # name, transfer
    run -f lavfi -i "$ramp" -vf 'scale=out_range=tv,format=yuv420p10le' -c:v libx265 -preset ultrafast -x265-params \
        "log-level=none:lossless=1:colorprim=bt2020:transfer=$2:colormatrix=bt2020nc" -color_primaries bt2020 \
        -color_trc "$2" -colorspace bt2020nc -color_range tv "$1"
}
hdr hdr_pq.mp4 smpte2084
hdr hdr_hlg.mkv arib-std-b67

# Times that are not evenly spaced.
vary='select=not(mod(n\,5))+not(mod(n\,7))+lt(n\,20)'
make vfr.mp4 -vf "$vary" -vsync vfr $x264
make vfr.mkv -vf "$vary" -vsync vfr $x264

# Shape.
make odd.mp4 -vf scale=157:113 -c:v libx264 -preset veryfast -pix_fmt yuv444p -g 24
run -i h264.mp4 -c copy -metadata:s:v rotate=90 rotate90.mp4
run -i h264.mp4 -c copy -metadata:s:v rotate=180 rotate180.mp4
run -i h264.mp4 -c copy -metadata:s:v rotate=270 rotate270.mp4
make sar.mp4 -vf setsar=4/3 $x264
src=$(source_of 1 160x120 25)
make small.ts $x264
src=$(source_of 1 320x240 25)
make large.ts $x264
cat small.ts large.ts >resized.ts
rm small.ts large.ts

# Colours: one flat colour under different matrices and ranges.
colour() { # name, matrix, range
    run -f lavfi -i "color=0xC04020:size=64x64:rate=25:duration=0.4,format=rgb24" \
        -vf "scale=out_color_matrix=$2:out_range=$3,format=yuv444p" -c:v libx264 -qp 1 \
        -colorspace "$4" -color_range "$3" "$1"
}
colour bt601.mp4 bt601 tv smpte170m
colour bt709.mp4 bt709 tv bt709
colour bt709_full.mp4 bt709 pc bt709
colour bt2020.mp4 bt2020 tv bt2020nc

# With sound; without pictures.
src=$(source_of 2 160x120 25)
make long_sound.mp4 -f lavfi -i sine=duration=3 $x264 -c:a aac
make long_sound.mkv -f lavfi -i sine=duration=3 $x264 -c:a aac
run -f lavfi -i sine=duration=1 -c:a aac sound.m4a
run -f lavfi -i sine=duration=1 sound.wav
run -f lavfi -i "$src" -frames:v 1 cover.png
run -i sound.m4a -i cover.png -map 0 -map 1 -c:a copy -c:v png -disposition:v attached_pic cover.m4a

# Not videos, and broken ones.
: >empty.mp4
for i in 1 2 3 4 5 6 7 8 9 10; do echo "This is a text, line $i, and no video."; done >text.mp4
printf '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nh264.ts\n#EXT-X-ENDLIST\n' >playlist.mp4
printf "ffconcat version 1.0\nfile h264.mp4\n" >concat.mp4
head -c 20000 h264.mp4 >no_moov.mp4
size=$(wc -c <faststart.mp4)
head -c $((size / 2)) faststart.mp4 >half.mp4
size=$(wc -c <h264.mkv)
head -c $((size / 2)) h264.mkv >half.mkv

for f in *.*; do
    case $f in
    *.times | *.rgb | *.png | *.webp | empty.* | text.* | playlist.* | concat.* | no_moov.* | half.* | sound.* | cover.*) ;;
    *) ffprobe -v quiet -threads 1 -select_streams v -show_entries frame=best_effort_timestamp_time -of csv=p=0 \
        "$f" | tr -d ',' | grep . >"$f.times" || true ;;
    esac
done
for f in h264.mp4 h264.ts mpeg4_b.avi hevc_open.mkv vp9.webm rotate90.mp4 rotate180.mp4 rotate270.mp4 moving.gif \
    edit_list.mp4 mpeg2.ts; do
    run -i "$f" -vsync passthrough -sws_flags bilinear+accurate_rnd+full_chroma_int+full_chroma_inp \
        -pix_fmt rgb24 -f rawvideo "$f.rgb"
done
echo "$stamp" >made
