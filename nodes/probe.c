#include "nodes/probe.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <libavutil/display.h>
#include <libavutil/pixdesc.h>

#include "nodes/media.h"

enum {
    IO_BUFFER_BYTES = 64 << 10,
    PROBE_BYTES = 1 << 20,         /* to tell the container by */
    ANALYSE_BYTES = 8 << 20,       /* to tell the streams by */
    ANALYSE_US = 10 * 1000 * 1000, /* of media time */
    MAX_STREAMS = 256,
    PROBE_MAX_SIDE_PX = 16384,
};

static const int64_t SCAN_MAX_BYTES = INT64_C(4) << 30;

/* Containers that hold their media themselves. */
struct container {
    const char *name; /* of the demuxer, up to its first comma */
    bool raw;         /* a bare stream: no time stamps worth the name */
    bool seeks;       /* see struct media's can_seek */
};

static const struct container containers[] = {
    {"mov", false, true},
    {"matroska", false, true},
    {"avi", false, false},
    {"mpegts", false, false},
    {"mpeg", false, false},
    {"flv", false, false},
    {"asf", false, false},
    {"gif", false, false},
    {"apng", false, false},
    {"ivf", false, false},
    {"ogg", false, false},
    {"rm", false, false},
    {"mxf", false, false},
    {"nut", false, false},
    {"dv", false, false},
    {"swf", false, false},
    {"wtv", false, false},
    {"mpegvideo", true, false},
    {"h261", true, false},
    {"h263", true, false},
    {"h264", true, false},
    {"hevc", true, false},
    {"m4v", true, false},
    {"mjpeg", true, false},
    {"vc1", true, false},
    {"vc1test", false, false},
    {"obu", true, false},
    {"av1", true, false},
    {"cavsvideo", true, false},
    {"dirac", true, false},
    {"yuv4mpegpipe", true, false},
    /* Audio alone: named so that their outcome is no_video. */
    {"mp3", false, false},
    {"aac", false, false},
    {"wav", false, false},
    {"w64", false, false},
    {"flac", false, false},
    {"ac3", false, false},
    {"eac3", false, false},
    {"dts", false, false},
    {"truehd", false, false},
    {"amr", false, false},
    {"aiff", false, false},
    {"au", false, false},
    {"caf", false, false},
    {"ape", false, false},
    {"tta", false, false},
    {"tak", false, false},
    {"wv", false, false},
};

static const struct container *find_container(const char *demuxer)
{
    size_t len = strcspn(demuxer, ",");

    for (size_t i = 0; i < sizeof(containers) / sizeof(containers[0]); i++) {
        if (strlen(containers[i].name) == len && strncmp(containers[i].name, demuxer, len) == 0)
            return &containers[i];
    }
    return NULL;
}

/* A descriptor, read by position so that the caller's own position does not move. */
struct media_source {
    int fd;
    int64_t base, size_bytes, position; /* base: where the video begins in the file */
    int read_errno;                     /* of the last failed read, 0 when none */
};

/* libav has one log callback for the process, without a pointer of ours; the thread-local tells decoders
 * apart. */
static _Thread_local struct media_words *listening;

struct media_words *media_listen(struct media_words *w)
{
    struct media_words *before = listening;

    listening = w;
    return before;
}

static void take_log(void *object, int level, const char *format, va_list args)
{
    struct media_words *w = listening;
    size_t len;
    char *end;

    if (!w || level > AV_LOG_ERROR)
        return;
    len = strlen(w->partial);
    if (len == 0 && object) { /* without the address that libav's own prefix has: it changes from run to run */
        const AVClass *class = *(AVClass **)object;

        if (class && class->item_name) {
            int n = snprintf(w->partial, sizeof(w->partial), "%s: ", class->item_name(object));

            len = n < 0 ? 0 : strlen(w->partial);
        }
    }
    if (len < sizeof(w->partial) && vsnprintf(w->partial + len, sizeof(w->partial) - len, format, args) < 0)
        w->partial[len] = '\0';
    end = strchr(w->partial, '\n');
    if (!end && strlen(w->partial) + 1 < sizeof(w->partial))
        return; /* libav prints some lines in pieces */
    if (end)
        *end = '\0';
    memcpy(w->last, w->partial, sizeof(w->last));
    w->partial[0] = '\0';
    w->n_errors++;
}

enum status media_error(struct error *e, enum status s, int av_code, const struct media_words *w, const char *what)
{
    char reason[AV_ERROR_MAX_STRING_SIZE] = "";

    if (av_code == AVERROR(ENOMEM))
        return error_no_memory(e);
    if (av_code != 0)
        av_strerror(av_code, reason, sizeof(reason));
    if (w && w->last[0] != '\0')
        return error_set(e, s, "%s: %s", what, w->last);
    return reason[0] != '\0' ? error_set(e, s, "%s: %s", what, reason) : error_set(e, s, "%s", what);
}

static int source_read(void *opaque, uint8_t *buffer, int n_bytes)
{
    struct media_source *s = opaque;
    ssize_t n;

    if (s->position >= s->size_bytes && s->base > 0)
        return AVERROR_EOF;
    if (s->base > 0 && s->size_bytes - s->position < n_bytes)
        n_bytes = (int)(s->size_bytes - s->position);
    do
        n = pread(s->fd, buffer, (size_t)n_bytes, s->base + s->position);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        s->read_errno = errno;
        return AVERROR(errno);
    }
    if (n == 0)
        return AVERROR_EOF;
    s->position += n;
    return (int)n;
}

static int64_t source_seek(void *opaque, int64_t offset, int whence)
{
    struct media_source *s = opaque;
    int64_t base = 0;

    switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE:
        return s->size_bytes;
    case SEEK_SET:
        break;
    case SEEK_CUR:
        base = s->position;
        break;
    case SEEK_END:
        base = s->size_bytes;
        break;
    default:
        return AVERROR(EINVAL);
    }
    if (offset > INT64_MAX - base || base + offset < 0)
        return AVERROR(EINVAL);
    s->position = base + offset;
    return s->position;
}

static enum status source_open(int fd, const struct window *window, struct media_source **ret_source, struct error *e)
{
    struct media_source *s = calloc(1, sizeof(*s));
    off_t before;

    if (!s)
        return error_no_memory(e);
    s->fd = fd;
    before = lseek(fd, 0, SEEK_CUR);
    if (before < 0 || (s->size_bytes = lseek(fd, 0, SEEK_END)) < 0 || lseek(fd, before, SEEK_SET) < 0) {
        int code = errno;

        free(s);
        return error_set_errno(e, code, "cannot seek in the video's descriptor");
    }
    if (window->offset > 0) { /* in an archive nothing lies at its very begin */
        int64_t after = s->size_bytes - (int64_t)window->offset;

        s->base = (int64_t)window->offset;
        s->size_bytes = after < 0 ? 0 : after < (int64_t)window->size_bytes ? after : (int64_t)window->size_bytes;
    }
    *ret_source = s;
    return STATUS_OK;
}

static int refuse_open(AVFormatContext *format, AVIOContext **io, const char *url, int flags, AVDictionary **options)
{
    (void)io;
    (void)flags;
    (void)options;
    av_log(format, AV_LOG_ERROR, "refused to open another file: %s\n", url);
    return AVERROR(EACCES);
}

void media_close(struct media *m)
{
    avformat_close_input(&m->format);
    if (m->io) {
        av_freep(&m->io->buffer); /* libav may have replaced it */
        avio_context_free(&m->io);
    }
    free(m->source);
    *m = (struct media){0};
}

/* What to call a file that libav knows but that is not one of our containers. */
static enum outcome outcome_of_foreign(const char *demuxer)
{
    static const char *const not_videos[] = {
        "tty",        "image2",   "concat",     "hls",      "dash",       "sdp",    "webm_dash_manifest",
        "ffmetadata", "lrc",      "srt",        "ass",      "webvtt",     "sami",   "stl",
        "mpl2",       "microdvd", "subviewer",  "scc",      "bin",        "data",   "aqtitle",
        "jacosub",    "pjs",      "vplayer",    "realtext", "subviewer1", "vobsub", "sup",
        "ico",        "imf",      "adf",        "idf",      "xbin",       "txd",    "sbg",
        "ttml",       "libgme",   "libopenmpt",
    };
    size_t len = strlen(demuxer);

    if (strcmp(demuxer, "webp_pipe") == 0) /* may be an animation, which this libav cannot read */
        return OUTCOME_UNSUPPORTED;
    if (len > 5 && strcmp(demuxer + len - 5, "_pipe") == 0) /* one still picture */
        return OUTCOME_NO_VIDEO;
    for (size_t i = 0; i < sizeof(not_videos) / sizeof(not_videos[0]); i++) {
        if (strcmp(demuxer, not_videos[i]) == 0)
            return OUTCOME_NO_VIDEO;
    }
    return OUTCOME_UNSUPPORTED;
}

static void copy_name(char *to, size_t room, const char *from)
{
    snprintf(to, room, "%.*s", (int)strcspn(from, ","), from);
}

static enum status open_container(struct media *m, struct video_facts *facts, enum outcome *ret_outcome,
                                  const struct media_words *w, struct error *e)
{
    const struct container *container;
    const AVInputFormat *demuxer = NULL;
    uint8_t *buffer;
    int code;

    if (m->source->size_bytes == 0) {
        *ret_outcome = OUTCOME_NO_VIDEO;
        return error_set(e, STATUS_CORRUPT, "the file is empty");
    }
    buffer = av_malloc(IO_BUFFER_BYTES);
    if (buffer)
        m->io = avio_alloc_context(buffer, IO_BUFFER_BYTES, 0, m->source, source_read, NULL, source_seek);
    if (!m->io) {
        av_free(buffer);
        return error_no_memory(e);
    }
    code = av_probe_input_buffer2(m->io, &demuxer, "", NULL, 0, PROBE_BYTES);
    if (m->source->read_errno != 0)
        return error_set_errno(e, m->source->read_errno, "cannot read the video");
    if (code < 0 || !demuxer) {
        *ret_outcome = OUTCOME_NO_VIDEO;
        return media_error(e, STATUS_CORRUPT, 0, NULL, "not a media file");
    }
    copy_name(facts->container, sizeof(facts->container), demuxer->name);
    container = find_container(demuxer->name);
    if (!container) {
        *ret_outcome = outcome_of_foreign(demuxer->name);
        return error_set(e, *ret_outcome == OUTCOME_NO_VIDEO ? STATUS_CORRUPT : STATUS_UNSUPPORTED,
                         "a %s file, which is no video container that is read here", demuxer->name);
    }
    m->has_times = !container->raw;
    m->can_seek = container->seeks;
    m->whole_frames = container->seeks;
    m->format = avformat_alloc_context();
    if (!m->format)
        return error_no_memory(e);
    m->format->pb = m->io;
    m->format->io_open = refuse_open;
    m->format->probesize = ANALYSE_BYTES;
    m->format->max_analyze_duration = ANALYSE_US;
    m->format->max_streams = MAX_STREAMS;
    code = avformat_open_input(&m->format, "", demuxer, NULL);
    if (code < 0) {
        *ret_outcome = OUTCOME_DECODE_ERROR;
        return media_error(e, STATUS_CORRUPT, code, w, "the container cannot be read");
    }
    return STATUS_OK;
}

static int64_t pixels_of(const AVStream *s)
{
    return (int64_t)s->codecpar->width * s->codecpar->height;
}

/* The video stream with most pixels; of equal ones the default one, then the first. Cover pictures do not
 * count. */
static AVStream *choose_stream(const AVFormatContext *format, struct video_facts *facts)
{
    AVStream *best = NULL;

    facts->n_audio_streams = facts->n_video_streams = 0;
    for (unsigned i = 0; i < format->nb_streams; i++) {
        AVStream *s = format->streams[i];

        facts->n_audio_streams += s->codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
        if (s->codecpar->codec_type != AVMEDIA_TYPE_VIDEO ||
            s->disposition & (AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS))
            continue;
        facts->n_video_streams++;
        if (!best || pixels_of(s) > pixels_of(best) ||
            (pixels_of(s) == pixels_of(best) && (s->disposition & AV_DISPOSITION_DEFAULT) &&
             !(best->disposition & AV_DISPOSITION_DEFAULT)))
            best = s;
    }
    return best;
}

void media_frame_rate(const struct media *m, int *ret_num, int *ret_den)
{
    AVRational rate = m->stream->avg_frame_rate;

    if (rate.num <= 0 || rate.den <= 0)
        rate = m->stream->r_frame_rate;
    if (rate.num <= 0 || rate.den <= 0)
        rate = (AVRational){25, 1};
    *ret_num = rate.num;
    *ret_den = rate.den;
}

unsigned media_square_width(unsigned width_px, int sar_num, int sar_den)
{
    if (sar_num <= 0 || sar_den <= 0 || sar_num / 8 > sar_den || sar_den / 8 > sar_num)
        return width_px;
    return (unsigned)av_rescale(width_px, sar_num, sar_den);
}

struct media_orientation media_orientation_from_matrix(const int32_t matrix[9], int32_t *ret_rotation_deg)
{
    /* A stored pixel (x, y) is shown at (a x + c y, b x + d y) and a shift. */
    double a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
    struct media_orientation o = {.swap_axes = fabs(b) + fabs(c) > fabs(a) + fabs(d)};

    if (o.swap_axes) {
        o.mirror_x = b < 0;
        o.mirror_y = c < 0;
        *ret_rotation_deg = b >= 0 ? 90 : 270;
    } else {
        o.mirror_x = a < 0;
        o.mirror_y = d < 0;
        *ret_rotation_deg = a < 0 && d < 0 ? 180 : 0;
    }
    return o;
}

/* "HH:MM:SS.fraction", as Matroska's writers put it in a stream's tag; 0 when it is not that. */
static int64_t parse_duration_tag(const AVStream *stream)
{
    const AVDictionaryEntry *tag = av_dict_get(stream->metadata, "DURATION", NULL, AV_DICT_IGNORE_SUFFIX);
    unsigned hours, minutes;
    double seconds;

    if (!tag || sscanf(tag->value, "%4u:%2u:%lf", &hours, &minutes, &seconds) != 3 || !(seconds >= 0 && seconds < 60) ||
        minutes > 59)
        return 0;
    return (int64_t)((hours * 60.0 + minutes) * 60e6 + seconds * 1e6);
}

static int64_t stated_duration(struct media *m)
{
    const AVStream *s = m->stream;
    int64_t tag_us;

    m->duration_is_absolute = false;
    if (!m->has_times || m->format->duration_estimation_method == AVFMT_DURATION_FROM_BITRATE)
        return 0;
    if (s->duration != AV_NOPTS_VALUE && s->duration > 0)
        return av_rescale_q(s->duration, s->time_base, AV_TIME_BASE_Q);
    if (m->format->duration == AV_NOPTS_VALUE || m->format->duration <= 0)
        return 0;
    m->duration_is_absolute = true;
    tag_us = parse_duration_tag(s);
    return tag_us > 0 && tag_us < m->format->duration ? tag_us : m->format->duration;
}

static void fill_facts(struct media *m, struct video_facts *facts)
{
    const AVCodecParameters *par = m->stream->codecpar;
    const AVDictionaryEntry *tag;
    const char *pixel_format = av_get_pix_fmt_name((enum AVPixelFormat)par->format);
    const uint8_t *matrix;
    AVRational sar = av_guess_sample_aspect_ratio(m->format, m->stream, NULL);
    size_t matrix_bytes = 0;
    int num, den;

    snprintf(facts->codec, sizeof(facts->codec), "%s", avcodec_get_name(par->codec_id));
    snprintf(facts->pixel_format, sizeof(facts->pixel_format), "%s", pixel_format ? pixel_format : "");
    tag = av_dict_get(m->format->metadata, "encoder", NULL, 0);
    if (!tag)
        tag = av_dict_get(m->stream->metadata, "encoder", NULL, 0);
    snprintf(facts->encoder, sizeof(facts->encoder), "%s", tag ? tag->value : "");
    matrix = av_stream_get_side_data(m->stream, AV_PKT_DATA_DISPLAYMATRIX, &matrix_bytes);
    if (matrix && matrix_bytes >= 9 * sizeof(int32_t)) {
        int32_t values[9];

        memcpy(values, matrix, sizeof(values));
        m->orientation = media_orientation_from_matrix(values, &facts->rotation_deg);
        m->has_orientation = true;
    }
    m->index_grows = strcmp(facts->container, "mov") == 0 && m->stream->nb_frames == 0;
    m->index_is_whole = strcmp(facts->container, "mov") == 0 && !m->index_grows;
    facts->width_px = media_square_width(par->width > 0 ? (unsigned)par->width : 0, sar.num, sar.den);
    facts->height_px = par->height > 0 ? (uint32_t)par->height : 0;
    if (m->orientation.swap_axes) {
        uint32_t width = facts->width_px;

        facts->width_px = facts->height_px;
        facts->height_px = width;
    }
    media_frame_rate(m, &num, &den);
    facts->fps_num = (uint32_t)num;
    facts->fps_den = (uint32_t)den;
    facts->duration_us = stated_duration(m);
    facts->n_frames = m->stream->nb_frames > 0 ? m->stream->nb_frames : 0;
    facts->bit_rate_bps = par->bit_rate > 0 ? par->bit_rate : m->format->bit_rate;
    if (facts->bit_rate_bps < 0)
        facts->bit_rate_bps = 0;
}

static enum status find_codec(struct media *m, const struct video_facts *facts, enum outcome *ret_outcome,
                              struct error *e)
{
    const AVCodecParameters *par = m->stream->codecpar;
    char tag[AV_FOURCC_MAX_STRING_SIZE];

    m->codec = par->codec_id == AV_CODEC_ID_NONE ? NULL : avcodec_find_decoder(par->codec_id);
    if (m->codec)
        return STATUS_OK;
    /* A header that was cut off before it says what the pictures are. */
    if (par->codec_id == AV_CODEC_ID_NONE && par->codec_tag == 0 && par->width == 0) {
        *ret_outcome = OUTCOME_DECODE_ERROR;
        return error_set(e, STATUS_CORRUPT, "the container does not say the video's codec");
    }
    *ret_outcome = OUTCOME_UNSUPPORTED;
    return error_set(e, STATUS_UNSUPPORTED, "no decoder for codec %s (tag %s)", facts->codec,
                     av_fourcc_make_string(tag, par->codec_tag));
}

static enum status check_size(const struct video_facts *facts, unsigned max_side_px, enum outcome *ret_outcome,
                              struct error *e)
{
    if (facts->width_px <= max_side_px && facts->height_px <= max_side_px)
        return STATUS_OK;
    *ret_outcome = OUTCOME_UNSUPPORTED;
    return error_set(e, STATUS_UNSUPPORTED, "frames of %u x %u, more than %u pixels a side", facts->width_px,
                     facts->height_px, max_side_px);
}

/* Looks into the streams that the header named with a bound on their pictures, so that a header cannot ask
 * for all memory. (Streams that appear later are bounded by libav itself and by the lane's memory limit.) */
static int find_streams(AVFormatContext *format, unsigned max_side_px)
{
    unsigned n = format->nb_streams;
    AVDictionary **options = av_calloc(n > 0 ? n : 1, sizeof(AVDictionary *));
    int code = options ? 0 : AVERROR(ENOMEM);

    for (unsigned i = 0; code >= 0 && i < n; i++)
        code = av_dict_set_int(&options[i], "max_pixels", (int64_t)max_side_px * max_side_px, 0);
    if (code >= 0)
        code = avformat_find_stream_info(format, options);
    for (unsigned i = 0; options && i < n; i++)
        av_dict_free(&options[i]);
    av_free(options);
    return code;
}

/* Chooses the stream and states the facts, first by the header alone: pictures that are too large are not
 * looked into. */
static enum status open_stream(struct media *m, unsigned max_side_px, struct video_facts *facts,
                               enum outcome *ret_outcome, const struct media_words *w, struct error *e)
{
    enum status status;
    int code;

    m->stream = choose_stream(m->format, facts);
    if (m->stream) {
        fill_facts(m, facts);
        status = check_size(facts, max_side_px, ret_outcome, e);
        if (status != STATUS_OK)
            return status;
    }
    code = find_streams(m->format, max_side_px);
    if (code < 0) {
        *ret_outcome = OUTCOME_DECODE_ERROR;
        return media_error(e, STATUS_CORRUPT, code, w, "the streams cannot be read");
    }
    m->stream = choose_stream(m->format, facts);
    if (!m->stream) {
        *ret_outcome = OUTCOME_NO_VIDEO;
        return error_set(e, STATUS_CORRUPT, "no video stream (%u audio)", facts->n_audio_streams);
    }
    for (unsigned i = 0; i < m->format->nb_streams; i++)
        m->format->streams[i]->discard = m->format->streams[i] == m->stream ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    fill_facts(m, facts);
    status = find_codec(m, facts, ret_outcome, e);
    return status == STATUS_OK ? check_size(facts, max_side_px, ret_outcome, e) : status;
}

enum status media_open(int fd, const struct window *window, unsigned max_side_px, struct media *ret_m,
                       struct video_facts *ret_facts, enum outcome *ret_outcome, struct error *e)
{
    struct media m = {0};
    struct media_words words = {0};
    struct media_words *before = media_listen(&words);
    enum status status;

    av_log_set_callback(take_log);
    *ret_facts = (struct video_facts){0};
    *ret_outcome = OUTCOME_DECODE_ERROR;
    status = source_open(fd, window, &m.source, e);
    if (status != STATUS_OK)
        goto end;
    status = open_container(&m, ret_facts, ret_outcome, &words, e);
    if (status != STATUS_OK)
        goto end;
    status = open_stream(&m, max_side_px, ret_facts, ret_outcome, &words, e);
end:
    media_listen(before);
    /* A header that claims thousands of millions of things; an honest one needs megabytes. */
    if (status == STATUS_NO_MEMORY && m.io) {
        *ret_outcome = OUTCOME_DECODE_ERROR;
        error_set(e, STATUS_CORRUPT, "the container claims more than a lane has memory for");
        status = STATUS_CORRUPT;
    }
    if (status == STATUS_OK) {
        *ret_outcome = OUTCOME_UNDECIDED;
        *ret_m = m;
    } else {
        media_close(&m);
    }
    return status;
}

enum status media_open_packets(int fd, const struct window *window, int stream, struct media *ret_m, struct error *e)
{
    struct media m = {0};
    struct media_words words = {0};
    struct media_words *before = media_listen(&words);
    struct video_facts facts = {0};
    enum outcome outcome;
    enum status status = source_open(fd, window, &m.source, e);

    if (status == STATUS_OK)
        status = open_container(&m, &facts, &outcome, &words, e);
    if (status == STATUS_OK && (unsigned)stream >= m.format->nb_streams)
        status = error_set(e, STATUS_CORRUPT, "the container has lost stream %d", stream);
    media_listen(before);
    if (status != STATUS_OK) {
        media_close(&m);
        return status;
    }
    for (unsigned i = 0; i < m.format->nb_streams; i++)
        m.format->streams[i]->discard = i == (unsigned)stream ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    m.stream = m.format->streams[stream];
    *ret_m = m;
    return STATUS_OK;
}

int64_t media_scan_duration(struct media *m)
{
    AVPacket *packet = av_packet_alloc();
    const AVRational tb = m->stream->time_base;
    int64_t first = INT64_MAX, end = INT64_MIN, n_packets = 0, us, read_bytes = 0;
    unsigned n_refused = 0;
    int num, den;

    if (!packet)
        return 0;
    media_frame_rate(m, &num, &den);
    while (n_refused < 64) {
        int code = av_read_frame(m->format, packet);
        int64_t at;

        if (code == AVERROR_EOF || code == AVERROR(EIO) || code == AVERROR(ENOMEM))
            break;
        if (code < 0) {
            n_refused++;
            continue;
        }
        n_refused = 0;
        at = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
        if (packet->stream_index == m->stream->index && packet->size > 0) {
            n_packets++;
            if (at != AV_NOPTS_VALUE && llabs(at) < INT64_MAX / 4) {
                int64_t duration = packet->duration > 0 && packet->duration < INT64_MAX / 4
                                       ? packet->duration
                                       : av_rescale_q(1, (AVRational){den, num}, tb);

                first = at < first ? at : first;
                end = at + duration > end ? at + duration : end;
            }
        }
        av_packet_unref(packet);
        read_bytes = m->source->position;
        if (read_bytes > SCAN_MAX_BYTES)
            break;
    }
    av_packet_free(&packet);
    if (m->has_times && end > first)
        us = av_rescale_q(end - first, tb, AV_TIME_BASE_Q);
    else
        us = av_rescale_q(n_packets, (AVRational){den, num}, AV_TIME_BASE_Q);
    if (read_bytes > SCAN_MAX_BYTES && m->source->size_bytes > read_bytes)
        us = (int64_t)((double)us * ((double)m->source->size_bytes / (double)read_bytes));
    return us;
}

enum status probe_window(int fd, const struct window *window, struct video_facts *ret_facts, enum outcome *ret_outcome,
                         struct error *e)
{
    struct media m = {0};
    enum outcome outcome;
    enum status status = media_open(fd, window, PROBE_MAX_SIDE_PX, &m, ret_facts, &outcome, e);

    if (status == STATUS_OK)
        media_close(&m);
    else
        *ret_outcome = outcome;
    return status;
}

enum status probe_video(int fd, struct video_facts *ret_facts, enum outcome *ret_outcome, struct error *e)
{
    const struct window whole = {0};

    return probe_window(fd, &whole, ret_facts, ret_outcome, e);
}
