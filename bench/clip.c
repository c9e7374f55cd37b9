/* clip: CPU of whole clips through the program's own parts (open, decode, faces, crops, networks, scores: nodes/score.h), by
 * part, beside a full decode of the same clips by `ffmpeg -threads 1 -i CLIP -f null -`.
 *
 *     bench_clip DETECTOR FOLDER [--rounds N] [--precision f32|bf16] [--json FILE]
 *
 * The linker leads the calls that begin a part through the wraps below, which charge the thread's CPU time to the innermost
 * part. In each round every clip is scored, then decoded by ffmpeg; figures are medians over clips and rounds, the ratio is
 * the median of each round's sum over all clips. Not in it: what a lane does once in its life (start, opening networks). */
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "models/detector.h"
#include "nodes/crop.h"
#include "nodes/decoder.h"
#include "nodes/face_near.h"
#include "nodes/faces.h"
#include "nodes/score.h"
#include "nodes/yuv.h"

enum { MAX_CLIPS = 256, MAX_ROUNDS = 64 };

enum part { OTHER, DEMUX, DECODE, CONVERT, DETECT, CROP, CNN, RNN, N_PARTS };
static const char *const part_names[N_PARTS] = {"other", "demux", "decode", "convert", "detect", "crop", "CNN", "RNN"};

static double part_s[N_PARTS], last_s;
static enum part current;

static double thread_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static enum part enter(enum part part)
{
    enum part before = current;
    double now = thread_s();

    part_s[current] += now - last_s;
    last_s = now;
    current = part;
    return before;
}

struct AVFormatContext;
struct AVPacket;
struct AVCodecContext;
struct AVFrame;
struct SwsContext;

int __real_av_read_frame(struct AVFormatContext *f, struct AVPacket *p);
int __wrap_av_read_frame(struct AVFormatContext *f, struct AVPacket *p);
int __wrap_av_read_frame(struct AVFormatContext *f, struct AVPacket *p)
{
    enum part before = enter(DEMUX);
    int code = __real_av_read_frame(f, p);

    (void)enter(before);
    return code;
}

int __real_avcodec_send_packet(struct AVCodecContext *c, const struct AVPacket *p);
int __wrap_avcodec_send_packet(struct AVCodecContext *c, const struct AVPacket *p);
int __wrap_avcodec_send_packet(struct AVCodecContext *c, const struct AVPacket *p)
{
    enum part before = enter(DECODE);
    int code = __real_avcodec_send_packet(c, p);

    (void)enter(before);
    return code;
}

int __real_avcodec_receive_frame(struct AVCodecContext *c, struct AVFrame *f);
int __wrap_avcodec_receive_frame(struct AVCodecContext *c, struct AVFrame *f);
int __wrap_avcodec_receive_frame(struct AVCodecContext *c, struct AVFrame *f)
{
    enum part before = enter(DECODE);
    int code = __real_avcodec_receive_frame(c, f);

    (void)enter(before);
    return code;
}

int __real_sws_scale(struct SwsContext *c, const uint8_t *const s[], const int ss[], int y, int h, uint8_t *const d[],
                     const int ds[]);
int __wrap_sws_scale(struct SwsContext *c, const uint8_t *const s[], const int ss[], int y, int h, uint8_t *const d[],
                     const int ds[]);
int __wrap_sws_scale(struct SwsContext *c, const uint8_t *const s[], const int ss[], int y, int h, uint8_t *const d[],
                     const int ds[])
{
    enum part before = enter(CONVERT);
    int code = __real_sws_scale(c, s, ss, y, h, d, ds);

    (void)enter(before);
    return code;
}

void __real_yuv_to_rgb(const struct yuv_picture *p, const struct yuv_matrix *m, const unsigned from[2],
                       const unsigned to[2], uint8_t *rgb, size_t stride);
void __wrap_yuv_to_rgb(const struct yuv_picture *p, const struct yuv_matrix *m, const unsigned from[2],
                       const unsigned to[2], uint8_t *rgb, size_t stride);
void __wrap_yuv_to_rgb(const struct yuv_picture *p, const struct yuv_matrix *m, const unsigned from[2],
                       const unsigned to[2], uint8_t *rgb, size_t stride)
{
    enum part before = enter(CONVERT);

    __real_yuv_to_rgb(p, m, from, to, rgb, stride);
    (void)enter(before);
}

bool __real_yuv_to_small_rgb(const struct yuv_picture *p, const struct yuv_matrix *m, uint8_t *out, unsigned w,
                             unsigned h);
bool __wrap_yuv_to_small_rgb(const struct yuv_picture *p, const struct yuv_matrix *m, uint8_t *out, unsigned w,
                             unsigned h);
bool __wrap_yuv_to_small_rgb(const struct yuv_picture *p, const struct yuv_matrix *m, uint8_t *out, unsigned w,
                             unsigned h)
{
    enum part before = enter(CONVERT);
    bool done = __real_yuv_to_small_rgb(p, m, out, w, h);

    (void)enter(before);
    return done;
}

enum status __real_face_finder_run(struct face_finder *f, const struct image *i, struct face *faces, size_t room,
                                   size_t *n, struct error *e);
enum status __wrap_face_finder_run(struct face_finder *f, const struct image *i, struct face *faces, size_t room,
                                   size_t *n, struct error *e);
enum status __wrap_face_finder_run(struct face_finder *f, const struct image *i, struct face *faces, size_t room,
                                   size_t *n, struct error *e)
{
    enum part before = enter(DETECT);
    enum status s = __real_face_finder_run(f, i, faces, room, n, e);

    (void)enter(before);
    return s;
}

enum status __real_face_near_run(struct face_near *n, const struct image *i, const struct face *before, struct face *f,
                                 struct error *e);
enum status __wrap_face_near_run(struct face_near *n, const struct image *i, const struct face *before, struct face *f,
                                 struct error *e);
enum status __wrap_face_near_run(struct face_near *n, const struct image *i, const struct face *before, struct face *f,
                                 struct error *e)
{
    enum part was = enter(DETECT);
    enum status s = __real_face_near_run(n, i, before, f, e);

    (void)enter(was);
    return s;
}

void __real_crop_face(const struct card_crop *c, const struct face *f, const struct image *i, uint8_t *out);
void __wrap_crop_face(const struct card_crop *c, const struct face *f, const struct image *i, uint8_t *out);
void __wrap_crop_face(const struct card_crop *c, const struct face *f, const struct image *i, uint8_t *out)
{
    enum part before = enter(CROP);

    __real_crop_face(c, f, i, out);
    (void)enter(before);
}

/* The face search's own networks stay in their part; a sequence of features has three dimensions, pictures have more. */
enum status __real_session_run(struct session *s, struct error *e);
enum status __wrap_session_run(struct session *s, struct error *e);
enum status __wrap_session_run(struct session *s, struct error *e)
{
    struct tensor_shape shape;
    enum part before;
    enum status status;

    session_input_shape(s, 0, &shape);
    before = enter(current == DETECT ? DETECT : shape.rank == 3 ? RNN : CNN);
    status = __real_session_run(s, e);
    (void)enter(before);
    return status;
}

static _Noreturn void die(const char *what, const char *of)
{
    fprintf(stderr, "bench_clip: %s%s%s\n", what, of ? ": " : "", of ? of : "");
    exit(1);
}

static double ffmpeg_s(const char *path)
{
    /* Not fork: the pages of this process would then be copied when it writes to them next, at its own cost. */
    const char *const arguments[] = {"ffmpeg", "-nostdin", "-v", "quiet", "-threads", "1",
                                     "-i",     path,       "-f", "null",  "-",        NULL};
    struct rusage u;
    int status;
    pid_t child;

    if (posix_spawnp(&child, "ffmpeg", NULL, NULL, (char *const *)arguments, environ) != 0)
        die("ffmpeg cannot be started", NULL);
    if (wait4(child, &status, 0, &u) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        die("ffmpeg cannot decode", path);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof(*values), by_size);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static size_t list_clips(const char *folder, char **paths)
{
    DIR *d = opendir(folder);
    struct dirent *entry;
    size_t n = 0;

    while (d && (entry = readdir(d)) && n < MAX_CLIPS) {
        size_t len = strlen(folder) + strlen(entry->d_name) + 2;

        if (entry->d_name[0] == '.')
            continue;
        paths[n] = malloc(len);
        if (!paths[n])
            die("out of memory", NULL);
        snprintf(paths[n++], len, "%s/%s", folder, entry->d_name);
    }
    if (!d || n == 0)
        die("no clips in", folder);
    closedir(d);
    qsort(paths, n, sizeof(*paths), by_name);
    return n;
}

struct figures {
    double total_s, full_s, parts_s[N_PARTS];
    unsigned n_frames, n_faces, n_clips;
};

static struct figures run_clip(struct scorer *scorer, const char *path)
{
    const struct scorer_part whole = {.index = 0, .count = 1};
    struct result r;
    struct error e;
    struct figures f = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        die("cannot open", path);
    memset(part_s, 0, sizeof(part_s));
    current = OTHER;
    last_s = thread_s();
    if (scorer_run(scorer, fd, &whole, NULL, &r, &e) != STATUS_OK)
        die(path, e.text);
    (void)enter(OTHER);
    close(fd);
    if (r.outcome != OUTCOME_SCORED)
        die(path, r.message);
    for (unsigned i = 0; i < N_PARTS; i++) {
        f.parts_s[i] = part_s[i];
        f.total_s += part_s[i];
    }
    f.n_frames = r.n_frames_decoded;
    f.n_faces = r.n_frames_with_face;
    f.n_clips = (unsigned)r.n_clips;
    result_clear(&r);
    return f;
}

int main(int argc, char **argv)
{
    static struct figures figures[MAX_ROUNDS][MAX_CLIPS];
    static double values[MAX_ROUNDS * MAX_CLIPS], ratios[MAX_ROUNDS], decodes[MAX_ROUNDS];
    char *paths[MAX_CLIPS];
    const char *json = NULL;
    size_t n_rounds = 5, n;
    struct detector *detector = NULL;
    struct scorer *scorer = NULL;
    struct rusage usage;
    struct error e;
    double parts_s[N_PARTS], total_s = 0, full_s = 0;
    FILE *out;

    if (argc < 3)
        die("usage: bench_clip DETECTOR FOLDER [--rounds N] [--precision f32|bf16] [--json FILE]", NULL);
    if (detector_open(argv[1], &detector, &e) != STATUS_OK)
        die(e.text, NULL);
    for (int i = 3; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--rounds") == 0)
            n_rounds = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--json") == 0)
            json = argv[i + 1];
        else if (strcmp(argv[i], "--precision") == 0)
            detector->precision = strcmp(argv[i + 1], "bf16") == 0 ? NETWORK_PRECISION_BF16 : NETWORK_PRECISION_F32;
    }
    if (n_rounds < 1 || n_rounds > MAX_ROUNDS)
        die("1 to 64 rounds", NULL);
    n = list_clips(argv[2], paths);
    decoder_prepare();
    if (scorer_open(detector, &scorer, &e) != STATUS_OK)
        die(e.text, NULL);
    (void)run_clip(scorer, paths[0]); /* first runs make kernels and buffers */
    for (size_t k = 0; k < n_rounds; k++) {
        double ours = 0, full = 0, decode = 0;

        for (size_t i = 0; i < n; i++) {
            figures[k][i] = run_clip(scorer, paths[i]);
            figures[k][i].full_s = ffmpeg_s(paths[i]);
            ours += figures[k][i].total_s;
            full += figures[k][i].full_s;
            decode += figures[k][i].parts_s[DEMUX] + figures[k][i].parts_s[DECODE];
        }
        ratios[k] = ours / full;
        decodes[k] = decode / full;
    }
    getrusage(RUSAGE_SELF, &usage);
    for (unsigned part = 0; part < N_PARTS + 2; part++) {
        size_t count = 0;
        double m;

        for (size_t k = 0; k < n_rounds; k++) {
            for (size_t i = 0; i < n; i++)
                values[count++] = part < N_PARTS    ? figures[k][i].parts_s[part]
                                  : part == N_PARTS ? figures[k][i].total_s
                                                    : figures[k][i].full_s;
        }
        m = median(values, count);
        *(part < N_PARTS ? &parts_s[part] : part == N_PARTS ? &total_s : &full_s) = m;
    }
    printf("%zu clips, %zu rounds; %u frames and %u with a face in the first clip; CPU a clip, medians:\n", n, n_rounds,
           figures[0][0].n_frames, figures[0][0].n_faces);
    for (unsigned part = 0; part < N_PARTS; part++)
        printf("  %-8s %7.1f ms\n", part_names[part], 1e3 * parts_s[part]);
    printf("  %-8s %7.1f ms\n  full decode by ffmpeg %.1f ms\nratio %.3f (demux and decode alone %.3f); peak memory "
           "%ld MiB\n",
           "all", 1e3 * total_s, 1e3 * full_s, median(ratios, n_rounds), median(decodes, n_rounds),
           usage.ru_maxrss / 1024);
    out = json ? fopen(json, "we") : NULL;
    if (json && !out)
        die("cannot write", json);
    if (out) {
        fprintf(out,
                "{\"bench\": \"clip\", \"clips\": %zu, \"rounds\": %zu, \"cpu_s_a_clip\": %.4f, "
                "\"full_decode_cpu_s_a_clip\": %.4f, \"ratio\": %.4f, \"decode_ratio\": %.4f, \"peak_mib\": %ld, "
                "\"parts_s\": {",
                n, n_rounds, total_s, full_s, median(ratios, n_rounds), median(decodes, n_rounds),
                usage.ru_maxrss / 1024);
        for (unsigned part = 0; part < N_PARTS; part++)
            fprintf(out, "%s\"%s\": %.5f", part > 0 ? ", " : "", part_names[part], parts_s[part]);
        fprintf(out, "}}\n");
        fclose(out);
    }
    for (size_t i = 0; i < n; i++)
        free(paths[i]);
    scorer_close(&scorer);
    detector_close(&detector);
    return 0;
}
