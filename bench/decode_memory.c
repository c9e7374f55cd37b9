/* decode_memory: peak memory and CPU of decoding 16 uniform frames of a video, each made whole; what a lane needs for decoding.
 *     bench_decode_memory VIDEO... */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nodes/decoder.h"
#include "nodes/sampler.h"

static int decode(const char *path)
{
    const struct decoder_settings settings = {.lazy_pixels = true};
    const struct card_sampling sampling = {.mode = SAMPLING_UNIFORM, .clips = 1, .frames = 16};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct sample_video video = {0};
    struct sample_plan plan = {0};
    struct decoder *d = NULL;
    struct error e = {0};
    enum outcome outcome;
    unsigned n = 0;

    decoder_prepare();
    if (fd < 0 || decoder_open(fd, &settings, &d, NULL, &outcome, &e) != STATUS_OK) {
        fprintf(stderr, "%s: %s\n", path, e.text);
        return 1;
    }
    video.duration_us = decoder_facts(d)->duration_us;
    if (sample_plan_make(&sampling, &video, &plan) != STATUS_OK ||
        decoder_expect(d, plan.wanted_us, plan.n_frames, &e) != STATUS_OK)
        return 1;
    for (unsigned i = 0; i < plan.n_frames; i++) {
        struct decoder_frame f;

        if (decoder_frame_at(d, plan.wanted_us[i], &f, &e) != STATUS_OK)
            break;
        image_need_all(&f.image);
        n++;
    }
    printf("%s: %u x %u, %.0f s, %u frames", path, decoder_facts(d)->width_px, decoder_facts(d)->height_px,
           (double)video.duration_us / 1e6, n);
    fflush(stdout);
    decoder_close(&d);
    sample_plan_clear(&plan);
    return 0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct rusage u;
        int status;
        pid_t child;

        fflush(stdout);
        child = fork();

        if (child == 0)
            _exit(decode(argv[i]));
        if (child < 0 || wait4(child, &status, 0, &u) != child || status != 0)
            return 1;
        printf(": %ld MiB, %.2f s of CPU\n", u.ru_maxrss / 1024,
               (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                   (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6);
    }
    return 0;
}
