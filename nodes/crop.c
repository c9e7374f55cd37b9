#include "nodes/crop.h"

#include <math.h>
#include <stdbool.h>

/* ArcFace's template (Deng et al. 2019; the reference points of the InsightFace code), 112 x 112. */
static const double TEMPLATE_SIDE = 112;
static const double TEMPLATE[5][2] = {
    {38.2946, 51.6963}, {73.5318, 51.5014}, {56.0252, 71.7366}, {41.5493, 92.3655}, {70.7299, 92.2041}};

static void box_transform(const struct card_crop *crop, const struct face *face, struct image_transform *ret_t)
{
    double cx = ((double)face->x0 + face->x1) / 2, cy = ((double)face->y0 + face->y1) / 2;
    double w = fmax((double)face->x1 - face->x0, 1), h = fmax((double)face->y1 - face->y0, 1);

    if (crop->square)
        w = h = fmax(w, h);
    w *= crop->margin;
    h *= crop->margin;
    *ret_t = (struct image_transform){
        {w / crop->width_px, 0, cx - w / 2, 0, h / crop->height_px, cy - h / 2},
    };
}

/* Where point i of five goes in the crop. */
static void reference_point(const struct card_crop *crop, unsigned i, double ret_w[2])
{
    const double *const points[5] = {crop->points.right_eye, crop->points.left_eye, crop->points.nose,
                                     crop->points.right_mouth, crop->points.left_mouth};
    double scale = fmin(crop->width_px, crop->height_px) / TEMPLATE_SIDE / crop->margin;
    double centre[2] = {crop->width_px / 2.0, crop->height_px / 2.0};
    bool own = card_has_template(crop);

    for (unsigned k = 0; k < 2; k++)
        ret_w[k] = centre[k] +
                   (own ? (points[i][k] - centre[k]) / crop->margin : (TEMPLATE[i][k] - TEMPLATE_SIDE / 2) * scale);
}

/* With points as complex numbers a similarity is z -> c z + d. Least squares over c and d (the
 * two-dimensional case of Umeyama 1991, equations 40 to 42, where no reflection can come in) gives c =
 * sum(conj(z) w) / sum(|z|^2) over the centred points. False: the points give no transform that can be
 * inverted. */
static bool similarity_transform(const struct card_crop *crop, const struct face *face, struct image_transform *ret_t)
{
    double mean_z[2] = {0, 0}, mean_w[2] = {0, 0}, w[5][2];
    double cr = 0, ci = 0, spread = 0, size, dr, di;

    for (unsigned i = 0; i < 5; i++) {
        reference_point(crop, i, w[i]);
        for (unsigned k = 0; k < 2; k++) {
            mean_z[k] += (double)face->points_xy[i][k] / 5;
            mean_w[k] += w[i][k] / 5;
        }
    }
    for (unsigned i = 0; i < 5; i++) {
        double zr = face->points_xy[i][0] - mean_z[0], zi = face->points_xy[i][1] - mean_z[1];
        double wr = w[i][0] - mean_w[0], wi = w[i][1] - mean_w[1];

        cr += zr * wr + zi * wi;
        ci += zr * wi - zi * wr;
        spread += zr * zr + zi * zi;
    }
    cr /= spread;
    ci /= spread;
    size = cr * cr + ci * ci;
    /* Points on top of each other, or mirrored so that nothing but a dot fits them: more than 4096 frame
     * pixels to a pixel of the crop is no face. */
    if (!(spread > 1e-6) || !(size > 1.0 / (4096.0 * 4096.0)))
        return false;
    dr = mean_w[0] - (cr * mean_z[0] - ci * mean_z[1]);
    di = mean_w[1] - (cr * mean_z[1] + ci * mean_z[0]);
    /* The inverse, z = conj(c) (w - d) / |c|^2, since the warp goes from the crop to the frame. */
    cr /= size;
    ci /= -size;
    *ret_t = (struct image_transform){
        {cr, -ci, -(cr * dr - ci * di), ci, cr, -(cr * di + ci * dr)},
    };
    return true;
}

/* False: the eyes are at one place, so that nothing can be measured by them. */
static bool eyes_transform(const struct card_crop *crop, const struct face *face, struct image_transform *ret_t)
{
    const float(*p)[2] = face->points_xy;
    double dx = (double)p[1][0] - p[0][0], dy = (double)p[1][1] - p[0][1], apart = hypot(dx, dy);
    /* The points that lie in the centre, halved. */
    unsigned a = crop->region == REGION_MOUTH ? 3 : crop->region == REGION_LEFT_EYE ? 1 : 0;
    unsigned b = crop->region == REGION_MOUTH ? 4 : crop->region == REGION_RIGHT_EYE ? 0 : 1;
    double cx = ((double)p[a][0] + p[b][0]) / 2, cy = ((double)p[a][1] + p[b][1]) / 2;
    double across = crop->reach_x * crop->margin / crop->width_px,
           down = crop->reach_y * crop->margin / crop->height_px;
    double ax = dx * across, ay = dy * across, bx = -dy * down, by = dx * down;

    if (!(apart > 1e-3))
        return false;
    *ret_t = (struct image_transform){
        {ax, bx, cx - (ax * crop->width_px + bx * crop->height_px) / 2, ay, by,
         cy - (ay * crop->width_px + by * crop->height_px) / 2},
    };
    return true;
}

void crop_transform(const struct card_crop *crop, const struct face *face, struct image_transform *ret_transform)
{
    if (crop->alignment == CROP_SIMILARITY && similarity_transform(crop, face, ret_transform))
        return;
    if (crop->alignment == CROP_EYES && eyes_transform(crop, face, ret_transform))
        return;
    box_transform(crop, face, ret_transform);
}

void crop_face(const struct card_crop *crop, const struct face *face, const struct image *frame, uint8_t *out_rgb_hwc)
{
    struct image_transform t;

    crop_transform(crop, face, &t);
    image_warp(frame, &t, out_rgb_hwc, crop->width_px, crop->height_px);
}

static void grey_to_tensor(const struct card_tensor *tensor, const uint8_t *rgb_hwc, size_t count, float *out_f32)
{
    for (size_t i = 0; i < count; i++, rgb_hwc += 3) {
        uint32_t luma = (19595u * rgb_hwc[0] + 38470u * rgb_hwc[1] + 7471u * rgb_hwc[2] + 0x8000u) >> 16;

        out_f32[i] = (float)((luma * tensor->scale - tensor->mean[0]) / tensor->deviation[0]);
    }
}

void crop_to_tensor(const struct card_tensor *tensor, const uint8_t *rgb_hwc, unsigned width_px, unsigned height_px,
                    float *out_f32, size_t channel_stride)
{
    size_t count = (size_t)width_px * height_px;

    if (tensor->order == CHANNELS_GREY) {
        grey_to_tensor(tensor, rgb_hwc, count, out_f32);
        return;
    }
    for (unsigned c = 0; c < 3; c++) {
        const uint8_t *in = rgb_hwc + (tensor->order == CHANNELS_BGR ? 2 - c : c);
        bool interleaved = tensor->layout == TENSOR_NHWC;
        float *out = out_f32 + (interleaved ? c : c * channel_stride);
        size_t step = interleaved ? 3 : 1;
        float value_of[256]; /* the arithmetic once a value, in double precision */

        for (unsigned v = 0; v < 256; v++)
            value_of[v] = (float)((v * tensor->scale - tensor->mean[c]) / tensor->deviation[c]);
        for (size_t i = 0; i < count; i++)
            out[i * step] = value_of[in[3 * i]];
    }
}
