#include "nodes/fingerprint.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SIDE = FINGERPRINT_SIDE_PX,
    N = FINGERPRINT_FREQUENCIES,
    N_BITS = N * N,
    LUMA_ONE = 256,        /* a level of luma in units of thumb */
    PDQ_GRADIENT_UNIT = 90 /* PDQ: the sum of gradients, in percent of the range, that a quality of 1 takes */
};

_Static_assert(N_BITS == 64 * PRINT_HASH_WORDS, "a bit for each frequency");

struct fingerprinter {
    double basis[N][SIDE];            /* of the DCT-II, frequencies 1 to N */
    double half[N][SIDE], freq[N][N]; /* transformed downwards, then across */
    bool has_last;
    uint16_t thumb[SIDE * SIDE], last[SIDE * SIDE]; /* luma, 0..255 * LUMA_ONE */
    uint8_t thumb_rgb[SIDE * SIDE * 3];
    uint8_t small_rgb[FINGERPRINT_SHARP_PX * FINGERPRINT_SHARP_PX * 3];
    uint8_t small_luma[FINGERPRINT_SHARP_PX * FINGERPRINT_SHARP_PX];
};

enum status fingerprinter_open(struct fingerprinter **ret_f)
{
    const double pi = 3.14159265358979323846;
    struct fingerprinter *f = calloc(1, sizeof(*f));

    if (!f)
        return STATUS_NO_MEMORY;
    for (unsigned i = 0; i < N; i++) {
        for (unsigned x = 0; x < SIDE; x++)
            f->basis[i][x] = sqrt(2.0 / SIDE) * cos(pi / 2 / SIDE * (i + 1) * (2 * x + 1));
    }
    *ret_f = f;
    return STATUS_OK;
}

void fingerprinter_close(struct fingerprinter **f)
{
    free(*f);
    *f = NULL;
}

void fingerprinter_begin(struct fingerprinter *f)
{
    f->has_last = false;
}

bool fingerprint_wants(uint32_t ordinal, uint32_t n_planned)
{
    if (n_planned <= RESULT_MAX_PRINTS)
        return true;
    for (uint64_t k = 0; k < RESULT_MAX_PRINTS; k++) {
        if ((2 * k + 1) * n_planned / (2 * RESULT_MAX_PRINTS) == ordinal)
            return true;
    }
    return false;
}

/* BT.601's weights, as PDQ has them, in units of LUMA_ONE. */
static unsigned luma_of(const uint8_t *rgb)
{
    return 77u * rgb[0] + 150u * rgb[1] + 29u * rgb[2];
}

static unsigned scaled(unsigned side, unsigned longer)
{
    unsigned s = (unsigned)(((uint64_t)side * FINGERPRINT_SHARP_PX + longer / 2) / longer);

    return s > 0 ? s : 1;
}

/* The picture at FINGERPRINT_SHARP_PX, or as it is when it is smaller. */
static struct image shrink(struct fingerprinter *f, const struct image *frame)
{
    unsigned longer = frame->width_px > frame->height_px ? frame->width_px : frame->height_px;
    struct image small = *frame;

    small.source = NULL;
    if (longer <= FINGERPRINT_SHARP_PX) {
        image_need_all(frame);
        return small;
    }
    small.width_px = scaled(frame->width_px, longer);
    small.height_px = scaled(frame->height_px, longer);
    small.stride_bytes = 3 * (size_t)small.width_px;
    small.rgb_hwc_u8 = f->small_rgb;
    image_resize(frame, f->small_rgb, small.width_px, small.height_px);
    return small;
}

/* Variance of the four-neighbour Laplacian (Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", 2000). */
static uint32_t sharpness_of(struct fingerprinter *f, const struct image *small)
{
    unsigned w = small->width_px, h = small->height_px;
    uint8_t *luma = f->small_luma;
    int64_t sum = 0, squares = 0, n = (int64_t)(w < 3 ? 0 : w - 2) * (h < 3 ? 0 : h - 2);
    double mean, variance;

    if (n == 0)
        return 0;
    for (unsigned y = 0; y < h; y++) {
        const uint8_t *row = small->rgb_hwc_u8 + y * small->stride_bytes;

        for (unsigned x = 0; x < w; x++)
            luma[y * w + x] = (uint8_t)((luma_of(row + 3 * (size_t)x) + LUMA_ONE / 2) / LUMA_ONE);
    }
    for (unsigned y = 1; y + 1 < h; y++) {
        const uint8_t *row = luma + (size_t)y * w;

        for (unsigned x = 1; x + 1 < w; x++) {
            int v = row[x - 1] + row[x + 1] + row[(ptrdiff_t)x - w] + row[x + w] - 4 * row[x];

            sum += v;
            squares += v * v;
        }
    }
    mean = (double)sum / (double)n;
    variance = (double)squares / (double)n - mean * mean;
    return variance > UINT16_MAX ? UINT16_MAX : variance > 0 ? (uint32_t)(variance + 0.5) : 0;
}

static void transform(struct fingerprinter *f)
{
    memset(f->half, 0, sizeof(f->half));
    for (unsigned i = 0; i < N; i++) {
        for (unsigned y = 0; y < SIDE; y++) {
            double b = f->basis[i][y];

            for (unsigned x = 0; x < SIDE; x++)
                f->half[i][x] += b * f->thumb[y * SIDE + x];
        }
    }
    for (unsigned i = 0; i < N; i++) {
        for (unsigned j = 0; j < N; j++) {
            double sum = 0;

            for (unsigned x = 0; x < SIDE; x++)
                sum += f->half[i][x] * f->basis[j][x];
            f->freq[i][j] = sum;
        }
    }
}

/* Not qsort: beyond a kibibyte glibc's asks the system how much memory there is, which a lane's sandbox forbids. */
static void sort(double *v, unsigned n)
{
    for (unsigned i = 1; i < n; i++) {
        double moved = v[i];
        unsigned k = i;

        for (; k > 0 && v[k - 1] > moved; k--)
            v[k] = v[k - 1];
        v[k] = moved;
    }
}

/* Above the lower of the two middle values: half of the bits, but for ties. */
static void hash_of(const struct fingerprinter *f, uint64_t hash[PRINT_HASH_WORDS])
{
    const double *v = &f->freq[0][0];
    double sorted[N_BITS], median;

    memcpy(sorted, v, sizeof(sorted));
    sort(sorted, N_BITS);
    median = sorted[N_BITS / 2 - 1];
    memset(hash, 0, PRINT_HASH_WORDS * sizeof(hash[0]));
    for (unsigned k = 0; k < N_BITS; k++)
        hash[k / 64] |= (uint64_t)(v[k] > median) << (k % 64);
}

/* In whole percent of the range, each cut down: what is flat and noisy counts for nothing. */
static unsigned gradient(unsigned a, unsigned b)
{
    unsigned d = a > b ? a - b : b - a;

    return d * 100 / (255 * LUMA_ONE);
}

static uint32_t quality_of(const uint16_t *thumb)
{
    uint32_t sum = 0;

    for (unsigned y = 0; y < SIDE; y++) {
        for (unsigned x = 0; x < SIDE; x++) {
            if (x + 1 < SIDE)
                sum += gradient(thumb[y * SIDE + x], thumb[y * SIDE + x + 1]);
            if (y + 1 < SIDE)
                sum += gradient(thumb[y * SIDE + x], thumb[(y + 1) * SIDE + x]);
        }
    }
    sum /= PDQ_GRADIENT_UNIT;
    return sum < PRINT_MAX_QUALITY ? sum : PRINT_MAX_QUALITY;
}

/* Mean difference in 1 / LUMA_ONE of a level, + 1; 0 without a last picture. */
static uint32_t change_of(const struct fingerprinter *f)
{
    uint64_t sum = 0;

    if (!f->has_last)
        return 0;
    for (unsigned k = 0; k < SIDE * SIDE; k++)
        sum += (uint64_t)abs((int)f->thumb[k] - (int)f->last[k]);
    return (uint32_t)(sum / (SIDE * SIDE)) + 1;
}

void fingerprinter_take(struct fingerprinter *f, const struct image *frame, int64_t pts_us, struct result *r)
{
    struct picture_print p = {.pts_us = pts_us};
    struct image small;
    uint64_t sum = 0;
    unsigned n_black = 0;

    if (r->n_prints == RESULT_MAX_PRINTS || (r->n_prints > 0 && pts_us <= r->prints[r->n_prints - 1].pts_us))
        return;
    small = shrink(f, frame);
    p.sharpness = sharpness_of(f, &small);
    image_resize(&small, f->thumb_rgb, SIDE, SIDE);
    for (unsigned k = 0; k < SIDE * SIDE; k++) {
        f->thumb[k] = (uint16_t)luma_of(f->thumb_rgb + 3 * (size_t)k);
        sum += f->thumb[k];
        n_black += f->thumb[k] < FINGERPRINT_BLACK_LUMA * LUMA_ONE;
    }
    p.brightness = (uint32_t)((sum / (SIDE * SIDE) + LUMA_ONE / 2) / LUMA_ONE);
    p.black_percent = n_black * 100 / (SIDE * SIDE);
    p.change = change_of(f);
    p.quality = quality_of(f->thumb);
    transform(f);
    hash_of(f, p.hash);
    memcpy(f->last, f->thumb, sizeof(f->last));
    f->has_last = true;
    r->prints[r->n_prints++] = p;
}
