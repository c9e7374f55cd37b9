#include "nodes/tone_map.h"

#include <math.h>
#include <stdlib.h>

enum { CODES = 1 << 12, LEVELS = 1 << 14 };

static const double PEAK_NITS = 1000, WHITE_NITS = 203;

/* light: of a code, 1 = WHITE_NITS. factor: of the largest channel's light / its peak's, by square root: what all three are
 * multiplied by. coded: 0..255 of a light 0..1, by square root. */
struct tone_map {
    enum tone_curve curve;
    float light[CODES];
    float factor[LEVELS];
    uint8_t coded[LEVELS];
};

static double from_pq(double e)
{
    const double m1 = 2610.0 / 16384, m2 = 2523.0 / 4096 * 128, c1 = 3424.0 / 4096, c2 = 2413.0 / 4096 * 32,
                 c3 = 2392.0 / 4096 * 32;
    double p = pow(e, 1 / m2);

    return 10000 * pow(fmax(p - c1, 0) / (c2 - c3 * p), 1 / m1);
}

static double to_pq(double nits)
{
    const double m1 = 2610.0 / 16384, m2 = 2523.0 / 4096 * 128, c1 = 3424.0 / 4096, c2 = 2413.0 / 4096 * 32,
                 c3 = 2392.0 / 4096 * 32;
    double p = pow(nits / 10000, m1);

    return pow((c1 + c2 * p) / (1 + c3 * p), m2);
}

/* Scene light 0..1. */
static double from_hlg(double e)
{
    const double a = 0.17883277, b = 1 - 4 * a, c = 0.5 - a * log(4 * a);

    return e <= 0.5 ? e * e / 3 : (exp((e - c) / a) + b) / 12;
}

/* BT.2390's EETF with a black of 0 on both sides. */
static double mapped_nits(double nits)
{
    double source = to_pq(PEAK_NITS), most = to_pq(WHITE_NITS) / source, knee = 1.5 * most - 0.5;
    double e = to_pq(fmin(nits, PEAK_NITS)) / source, t, t2, t3;

    if (e >= knee) {
        t = (e - knee) / (1 - knee);
        t2 = t * t;
        t3 = t2 * t;
        e = (2 * t3 - 3 * t2 + 1) * knee + (t3 - 2 * t2 + t) * (1 - knee) + (-2 * t3 + 3 * t2) * most;
    }
    return from_pq(e * source);
}

enum status tone_map_open(enum tone_curve curve, struct tone_map **ret_t)
{
    struct tone_map *t = calloc(1, sizeof(*t));

    if (!t)
        return STATUS_NO_MEMORY;
    t->curve = curve;
    for (unsigned i = 0; i < CODES; i++) {
        double e = (double)i / (CODES - 1);

        t->light[i] = (float)(curve == TONE_PQ ? fmin(from_pq(e), PEAK_NITS) / PEAK_NITS : from_hlg(e));
    }
    for (unsigned i = 0; i < LEVELS; i++) {
        double root = (double)i / (LEVELS - 1), light = root * root;

        t->factor[i] =
            (float)(light > 0 ? mapped_nits(light * PEAK_NITS) / (light * WHITE_NITS) : PEAK_NITS / WHITE_NITS);
        t->coded[i] = (uint8_t)lrint(255 * pow(light, 1 / 2.4));
    }
    *ret_t = t;
    return STATUS_OK;
}

void tone_map_close(struct tone_map **t)
{
    free(*t);
    *t = NULL;
}

static uint8_t coded(const struct tone_map *t, float light)
{
    float l = light < 0 ? 0 : light > 1 ? 1 : light;

    return t->coded[(unsigned)(sqrtf(l) * (LEVELS - 1) + 0.5F)];
}

void tone_map_row(const struct tone_map *t, bool bt2020, const uint16_t *rgb16, uint8_t *rgb8, size_t n_px)
{
    for (size_t i = 0; i < n_px; i++, rgb16 += 3, rgb8 += 3) {
        float r = t->light[rgb16[0] >> 4], g = t->light[rgb16[1] >> 4], b = t->light[rgb16[2] >> 4], most, factor;

        if (t->curve == TONE_HLG) { /* the screen's gamma, on luminance (BT.2100 table 5) */
            float y = bt2020 ? 0.2627F * r + 0.6780F * g + 0.0593F * b : 0.2126F * r + 0.7152F * g + 0.0722F * b;
            float system = y > 0 ? powf(y, 0.2F) : 0;

            r *= system;
            g *= system;
            b *= system;
        }
        most = fminf(fmaxf(fmaxf(r, g), b), 1);
        factor = t->factor[(unsigned)(sqrtf(most) * (LEVELS - 1) + 0.5F)];
        r *= factor;
        g *= factor;
        b *= factor;
        if (bt2020) { /* ITU-R BT.2087 */
            float r709 = 1.6605F * r - 0.5876F * g - 0.0728F * b;
            float g709 = -0.1246F * r + 1.1329F * g - 0.0083F * b;

            b = -0.0182F * r - 0.1006F * g + 1.1187F * b;
            r = r709;
            g = g709;
        }
        rgb8[0] = coded(t, r);
        rgb8[1] = coded(t, g);
        rgb8[2] = coded(t, b);
    }
}
