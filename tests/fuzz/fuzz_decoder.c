/* Damaged video files through the way that a lane reads them: the descriptor, the demuxer, the decoder, frames at chosen
 * times. libav itself is not instrumented here; what its callbacks, our bit readers and our copies do is. The first byte
 * chooses the times. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nodes/decoder.h"
#include "nodes/probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void touch(const struct decoder_frame *f)
{
    unsigned sum = 0;

    for (unsigned y = 0; y < f->image.height_px; y++) {
        const uint8_t *row = f->image.rgb_hwc_u8 + y * f->image.stride_bytes;

        for (size_t x = 0; x < 3 * (size_t)f->image.width_px; x++)
            sum += row[x];
    }
    /* So that the reads stay. */
    check(sum != 1 || f->image.width_px > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    const struct decoder_settings settings = {.max_side_px = 512};
    struct decoder *d = NULL;
    struct video_facts facts;
    enum outcome outcome = OUTCOME_UNDECIDED;
    struct error e = {0};
    int64_t wanted_us = 0;
    int fd;

    if (len_bytes < 2)
        return 0;
    fd = memfd_create("fuzz", MFD_CLOEXEC);
    check(fd >= 0 && write(fd, data + 1, len_bytes - 1) == (ssize_t)(len_bytes - 1));
    decoder_prepare();
    if (data[0] & 0x80) {
        if (probe_video(fd, &facts, &outcome, &e) == STATUS_OK)
            check(video_facts_valid(&facts));
    } else if (decoder_open(fd, &settings, &d, &facts, &outcome, &e) != STATUS_OK) {
        check(!d && e.text[0] != '\0' && outcome != OUTCOME_UNDECIDED && !outcome_has_score(outcome));
    } else {
        check(facts.duration_us > 0 && video_facts_valid(&facts));
        for (unsigned i = 0; i < 12; i++) {
            struct decoder_frame f;

            if (decoder_frame_at(d, wanted_us, &f, &e) != STATUS_OK)
                break;
            check(f.pts_us + 1 >= wanted_us && f.image.width_px == facts.width_px &&
                  f.image.height_px == facts.height_px);
            touch(&f);
            wanted_us += (int64_t)(data[0] & 0x7f) * (facts.duration_us / 256 + 1);
        }
    }
    decoder_close(&d);
    close(fd);
    return 0;
}
