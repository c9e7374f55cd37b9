#include "nodes/decoder_picture.h"

#include <stdlib.h>
#include <string.h>

#include <libavutil/frame.h>
#include <libavutil/mem.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "nodes/deinterlace.h"
#include "nodes/tone_map.h"
#include "nodes/yuv.h"

enum { TILE_PX = 64, TURN_TILE_PX = 32 };

/* What the scaler was made for. */
struct conversion {
    int width, height, format, space, range, to;
};

/* source must be the first: image_source's functions get it. */
struct picture {
    struct image_source source;
    struct picture_shape shape;
    unsigned width_px, height_px; /* shown */
    bool turns;
    size_t stride_bytes;
    uint8_t *rgb, *turned; /* turned is NULL when the picture is stored upright */
    uint16_t *rgb48;       /* of tone-mapped frames; NULL until one comes */
    AVFrame *whole;        /* of interlaced frames; without buffers until one comes */
    struct conversion converted_from;
    struct SwsContext *sws;
    struct tone_map *tone[TONE_HLG + 1];

    /* of the frame that is shown, while its pixels are made bit by bit */
    struct yuv_picture yuv;
    struct yuv_matrix matrix;
    unsigned tiles_across, tiles_down;
    uint8_t *tile_is_made;
    uint8_t *small; /* as stored, while it is turned */
    size_t small_room;
};

/* A part of the shown picture, or of the stored one. */
struct part {
    unsigned x0, y0, x1, y1;
};

/* The shown part of a picture of stored width x height, from `from` as stored to `to` as shown; by tiles, since one of the
 * two is walked across its rows. */
static void turn(const struct media_orientation *o, const uint8_t *from_rgb, size_t from_stride, unsigned width,
                 unsigned height, uint8_t *to_rgb, const struct part *part)
{
    ptrdiff_t step_x = o->mirror_x ? -3 : 3, step_y = (ptrdiff_t)from_stride;
    size_t shown_width = o->swap_axes ? height : width;
    const uint8_t *origin = from_rgb;

    if (o->mirror_x)
        origin += 3 * ((size_t)width - 1);
    if (o->mirror_y) {
        origin += ((size_t)height - 1) * from_stride;
        step_y = -step_y;
    }
    if (o->swap_axes) {
        ptrdiff_t swapped = step_x;

        step_x = step_y;
        step_y = swapped;
    }
    for (size_t y0 = part->y0; y0 < part->y1; y0 += TURN_TILE_PX) {
        for (size_t x0 = part->x0; x0 < part->x1; x0 += TURN_TILE_PX) {
            size_t y1 = y0 + TURN_TILE_PX < part->y1 ? y0 + TURN_TILE_PX : part->y1;
            size_t x1 = x0 + TURN_TILE_PX < part->x1 ? x0 + TURN_TILE_PX : part->x1;

            for (size_t y = y0; y < y1; y++) {
                uint8_t *to = to_rgb + 3 * (y * shown_width + x0);
                const uint8_t *from = origin + (ptrdiff_t)y * step_y + (ptrdiff_t)x0 * step_x;

                for (size_t x = x0; x < x1; x++, to += 3, from += step_x) {
                    to[0] = from[0];
                    to[1] = from[1];
                    to[2] = from[2];
                }
            }
        }
    }
}

static struct part stored_part(const struct picture *p, const struct part *shown)
{
    const struct media_orientation *o = &p->shape.orientation;
    struct part s = *shown;

    if (o->swap_axes)
        s = (struct part){shown->y0, shown->x0, shown->y1, shown->x1};
    if (o->mirror_x) {
        unsigned x0 = s.x0;

        s.x0 = p->shape.stored_width_px - s.x1;
        s.x1 = p->shape.stored_width_px - x0;
    }
    if (o->mirror_y) {
        unsigned y0 = s.y0;

        s.y0 = p->shape.stored_height_px - s.y1;
        s.y1 = p->shape.stored_height_px - y0;
    }
    return s;
}

static void turn_part(const struct picture *p, const struct part *shown)
{
    turn(&p->shape.orientation, p->rgb, p->stride_bytes, p->shape.stored_width_px, p->shape.stored_height_px, p->turned,
         shown);
}

static void fill(struct image_source *source, unsigned x0, unsigned y0, unsigned x1, unsigned y1)
{
    struct picture *p = (struct picture *)source;
    const struct part shown = {x0, y0, x1, y1}, s = stored_part(p, &shown);

    for (unsigned y = s.y0 / TILE_PX; y * TILE_PX < s.y1; y++) {
        for (unsigned x = s.x0 / TILE_PX; x * TILE_PX < s.x1;) {
            unsigned n = 0, end;
            uint8_t *made = p->tile_is_made + (size_t)y * p->tiles_across + x;

            while ((x + n) * TILE_PX < s.x1 && !made[n])
                made[n++] = 1;
            end = (x + n) * TILE_PX < p->yuv.width_px ? (x + n) * TILE_PX : p->yuv.width_px;
            if (n > 0) {
                const unsigned from[2] = {x * TILE_PX, y * TILE_PX};
                const unsigned to[2] = {end,
                                        (y + 1) * TILE_PX < p->yuv.height_px ? (y + 1) * TILE_PX : p->yuv.height_px};

                yuv_to_rgb(&p->yuv, &p->matrix, from, to, p->rgb, p->stride_bytes);
            }
            x += n > 0 ? n : 1;
        }
    }
    if (p->turned)
        turn_part(p, &shown);
}

static bool scale(struct image_source *source, uint8_t *out_rgb, unsigned width_px, unsigned height_px)
{
    struct picture *p = (struct picture *)source;
    bool swap = p->shape.orientation.swap_axes;
    unsigned width = swap ? height_px : width_px, height = swap ? width_px : height_px;
    size_t bytes = 3 * (size_t)width * height;
    const struct part all = {0, 0, width_px, height_px};

    if (!p->turns) {
        return yuv_to_small_rgb(&p->yuv, &p->matrix, out_rgb, width, height);
    }
    if (bytes > p->small_room) {
        av_free(p->small);
        p->small = av_malloc(bytes);
        p->small_room = p->small ? bytes : 0;
        if (!p->small)
            return false;
    }
    if (!yuv_to_small_rgb(&p->yuv, &p->matrix, p->small, width, height))
        return false;
    turn(&p->shape.orientation, p->small, 3 * (size_t)width, width, height, out_rgb, &all);
    return true;
}

static bool crop(struct image_source *source, const struct image_crop *c, uint8_t *out_rgb)
{
    struct picture *p = (struct picture *)source;

    return !p->turns && yuv_crop_to_rgb(&p->yuv, &p->matrix, c, out_rgb);
}

enum status picture_open(const struct picture_shape *shape, struct picture **ret_p, struct error *e)
{
    const struct media_orientation *o = &shape->orientation;
    struct picture *p = calloc(1, sizeof(*p));

    if (!p)
        return error_no_memory(e);
    p->source = (struct image_source){.fill = fill, .scale = scale, .crop = crop};
    p->shape = *shape;
    p->turns = o->swap_axes || o->mirror_x || o->mirror_y;
    p->width_px = o->swap_axes ? shape->stored_height_px : shape->stored_width_px;
    p->height_px = o->swap_axes ? shape->stored_width_px : shape->stored_height_px;
    p->stride_bytes = ((size_t)shape->stored_width_px * 3 + 63) / 64 * 64;
    p->tiles_across = (shape->stored_width_px + TILE_PX - 1) / TILE_PX;
    p->tiles_down = (shape->stored_height_px + TILE_PX - 1) / TILE_PX;
    p->tile_is_made = av_mallocz((size_t)p->tiles_across * p->tiles_down);
    /* The scaler's vector code may write a little beyond a row's end. */
    p->rgb = av_mallocz(p->stride_bytes * shape->stored_height_px + 256);
    p->whole = av_frame_alloc();
    if (p->turns)
        p->turned = av_malloc((size_t)shape->stored_width_px * shape->stored_height_px * 3);
    if (!p->tile_is_made || !p->rgb || !p->whole || (p->turns && !p->turned)) {
        picture_close(&p);
        return error_no_memory(e);
    }
    *ret_p = p;
    return STATUS_OK;
}

void picture_close(struct picture **p)
{
    struct picture *x = *p;

    if (!x)
        return;
    sws_freeContext(x->sws);
    for (unsigned i = 0; i <= TONE_HLG; i++)
        tone_map_close(&x->tone[i]);
    av_frame_free(&x->whole);
    av_free(x->rgb);
    av_free(x->turned);
    av_free(x->rgb48);
    av_free(x->tile_is_made);
    av_free(x->small);
    free(x);
    *p = NULL;
}

/* Matrix and range of a frame; where it does not say, BT.709 for high definition and BT.601 below, as players
 * do. */
static struct conversion conversion_of(const AVFrame *f)
{
    struct conversion c = {f->width,        f->height, f->format, SWS_CS_ITU601, f->color_range == AVCOL_RANGE_JPEG,
                           AV_PIX_FMT_RGB24};

    switch (f->colorspace) {
    case AVCOL_SPC_BT709:
        c.space = SWS_CS_ITU709;
        break;
    case AVCOL_SPC_FCC:
        c.space = SWS_CS_FCC;
        break;
    case AVCOL_SPC_SMPTE240M:
        c.space = SWS_CS_SMPTE240M;
        break;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
        c.space = SWS_CS_BT2020;
        break;
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
        break;
    default:
        c.space = f->width >= 1280 || f->height > 576 ? SWS_CS_ITU709 : SWS_CS_ITU601;
    }
    switch (f->format) {
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUVJ444P:
    case AV_PIX_FMT_YUVJ440P:
    case AV_PIX_FMT_YUVJ411P:
        c.range = 1;
        break;
    default:
        break;
    }
    return c;
}

static bool same_conversion(const struct conversion *a, const struct conversion *b)
{
    return a->width == b->width && a->height == b->height && a->format == b->format && a->space == b->space &&
           a->range == b->range && a->to == b->to;
}

static bool conversion_open(struct picture *p, const struct conversion *c)
{
    /* The same bytes on every machine; chroma interpolated both ways. */
    const int flags = SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT;

    sws_freeContext(p->sws);
    p->sws = sws_getContext(c->width, c->height, (enum AVPixelFormat)c->format, (int)p->shape.stored_width_px,
                            (int)p->shape.stored_height_px, (enum AVPixelFormat)c->to, flags, NULL, NULL, NULL);
    if (!p->sws)
        return false;
    /* Fails for sources that are RGB already, which need none. */
    (void)sws_setColorspaceDetails(p->sws, sws_getCoefficients(c->space), c->range, sws_getCoefficients(SWS_CS_DEFAULT),
                                   1, 0, 1 << 16, 1 << 16);
    p->converted_from = *c;
    return true;
}

/* Whether yuv.c can make the pixels: then p->yuv and p->matrix say how. */
static bool take_plain(struct picture *p, const AVFrame *f)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get((enum AVPixelFormat)f->format);
    struct conversion c = conversion_of(f);
    double kr = 0.299, kb = 0.114;

    switch (f->format) {
    case AV_PIX_FMT_YUV420P:
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUV422P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUV444P:
    case AV_PIX_FMT_YUVJ444P:
        break;
    default:
        return false;
    }
    if ((uint64_t)f->width * (uint64_t)f->height < p->shape.whole_below_px)
        return false;
    if ((unsigned)f->width != p->shape.stored_width_px || (unsigned)f->height != p->shape.stored_height_px)
        return false;
    if (c.space == SWS_CS_ITU709) {
        kr = 0.2126;
        kb = 0.0722;
    } else if (c.space == SWS_CS_FCC) {
        kr = 0.30;
        kb = 0.11;
    } else if (c.space == SWS_CS_SMPTE240M) {
        kr = 0.212;
        kb = 0.087;
    } else if (c.space == SWS_CS_BT2020) {
        kr = 0.2627;
        kb = 0.0593;
    }
    p->matrix = yuv_matrix_make(kr, kb, c.range);
    p->yuv = (struct yuv_picture){
        .width_px = (unsigned)f->width,
        .height_px = (unsigned)f->height,
        .shift_x = d->log2_chroma_w,
        .shift_y = d->log2_chroma_h,
    };
    for (unsigned i = 0; i < 3; i++) {
        p->yuv.planes[i] = f->data[i];
        p->yuv.strides_bytes[i] = f->linesize[i];
    }
    return true;
}

/* Formats whose planes are lines of samples of one or two bytes, each plane one component. */
static bool is_planar(const AVPixFmtDescriptor *d)
{
    if (!d ||
        d->flags & (AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_BE))
        return false;
    for (unsigned i = 0; i < d->nb_components; i++) {
        if (d->comp[i].step != (d->comp[0].depth > 8 ? 2 : 1) || d->comp[i].shift != 0 || d->comp[i].depth > 16)
            return false;
    }
    return d->flags & AV_PIX_FMT_FLAG_PLANAR || d->nb_components == 1;
}

/* *frame becomes a whole picture, when it is two fields. */
static enum status weave_out(struct picture *p, const AVFrame **frame)
{
    const AVFrame *f = *frame;
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get((enum AVPixelFormat)f->format);
    AVFrame *w = p->whole;

    if (!f->interlaced_frame || f->height < 4 || !is_planar(d))
        return STATUS_OK;
    if (w->buf[0] && (w->width != f->width || w->height != f->height || w->format != f->format ||
                      w->linesize[0] != f->linesize[0] || w->linesize[1] != f->linesize[1]))
        av_frame_unref(w);
    if (!w->buf[0]) {
        w->format = f->format;
        w->width = f->width;
        w->height = f->height;
        if (av_frame_get_buffer(w, 0) < 0)
            return STATUS_NO_MEMORY;
    }
    w->colorspace = f->colorspace;
    w->color_range = f->color_range;
    w->color_trc = f->color_trc;
    w->color_primaries = f->color_primaries;
    for (unsigned i = 0; i < d->nb_components; i++) {
        bool chroma = d->nb_components >= 3 && (i == 1 || i == 2);
        unsigned plane = (unsigned)d->comp[i].plane;
        unsigned width = chroma ? (unsigned)AV_CEIL_RSHIFT(f->width, d->log2_chroma_w) : (unsigned)f->width;
        unsigned height = chroma ? (unsigned)AV_CEIL_RSHIFT(f->height, d->log2_chroma_h) : (unsigned)f->height;

        deinterlace_plane(f->data[plane], f->linesize[plane], w->data[plane], w->linesize[plane],
                          &(struct deinterlace_shape){width, height, d->comp[0].depth > 8 ? 2 : 1,
                                                      (1u << d->comp[0].depth) - 1, !f->top_field_first});
    }
    *frame = w;
    return STATUS_OK;
}

static enum tone_curve curve_of(const AVFrame *f)
{
    if (f->color_trc == AVCOL_TRC_SMPTE2084)
        return TONE_PQ;
    return f->color_trc == AVCOL_TRC_ARIB_STD_B67 ? TONE_HLG : 0;
}

static enum status prepare_tone(struct picture *p, enum tone_curve curve)
{
    if (!p->tone[curve] && tone_map_open(curve, &p->tone[curve]) != STATUS_OK)
        return STATUS_NO_MEMORY;
    if (!p->rgb48)
        p->rgb48 = av_mallocz((p->stride_bytes * p->shape.stored_height_px + 256) * sizeof(uint16_t));
    return p->rgb48 ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status convert_whole(struct picture *p, const AVFrame *f, struct error *e)
{
    struct conversion c = conversion_of(f);
    enum tone_curve curve = curve_of(f);
    uint8_t *planes[4] = {p->rgb};
    int strides[4] = {(int)p->stride_bytes};

    if (curve != 0) {
        if (prepare_tone(p, curve) != STATUS_OK)
            return error_no_memory(e);
        c.to = AV_PIX_FMT_RGB48;
        planes[0] = (uint8_t *)p->rgb48;
        strides[0] *= (int)sizeof(uint16_t);
    }
    if ((!p->sws || !same_conversion(&c, &p->converted_from)) && !conversion_open(p, &c))
        return error_set(e, STATUS_CORRUPT, "no conversion from pixel format %s, %d x %d",
                         av_get_pix_fmt_name((enum AVPixelFormat)c.format), c.width, c.height);
    if (sws_scale(p->sws, (const uint8_t *const *)f->data, f->linesize, 0, c.height, planes, strides) <= 0)
        return error_set(e, STATUS_CORRUPT, "the frame cannot be converted to RGB");
    for (size_t y = 0; curve != 0 && y < p->shape.stored_height_px; y++)
        tone_map_row(p->tone[curve], f->color_primaries == AVCOL_PRI_BT2020, p->rgb48 + y * p->stride_bytes,
                     p->rgb + y * p->stride_bytes, p->shape.stored_width_px);
    if (p->turned)
        turn_part(p, &(struct part){0, 0, p->width_px, p->height_px});
    return STATUS_OK;
}

enum status picture_show(struct picture *p, const struct AVFrame *f, bool lazy, struct image *ret_image,
                         struct error *e)
{
    struct image image = {
        .rgb_hwc_u8 = p->turned ? p->turned : p->rgb,
        .width_px = p->width_px,
        .height_px = p->height_px,
        .stride_bytes = p->turned ? (size_t)p->width_px * 3 : p->stride_bytes,
    };
    enum status s = weave_out(p, &f);

    if (s != STATUS_OK)
        return error_no_memory(e);
    if (curve_of(f) == 0 && take_plain(p, f)) {
        memset(p->tile_is_made, 0, (size_t)p->tiles_across * p->tiles_down);
        image.source = &p->source;
        if (!lazy) {
            image_need_all(&image);
            image.source = NULL;
        }
    } else {
        s = convert_whole(p, f, e);
        if (s != STATUS_OK)
            return s;
    }
    *ret_image = image;
    return STATUS_OK;
}
