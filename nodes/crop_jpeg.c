#include "nodes/crop_jpeg.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

enum { QUALITY = 92 };

/* libjpeg's manager comes first: it is all that the library hands back. */
struct manager {
    struct jpeg_error_mgr base;
    jmp_buf back;
    char text[JMSG_LENGTH_MAX];
};

static void give_up(j_common_ptr c)
{
    struct manager *m = (struct manager *)(void *)c->err;

    c->err->format_message(c, m->text);
    longjmp(m->back, 1);
}

static void say_nothing(j_common_ptr c)
{
    (void)c;
}

/* What is alive over the jump lies in the caller's structs. */
struct work {
    struct jpeg_compress_struct c;
    struct manager manager;
    unsigned char *out;
    unsigned long len;
};

static bool compress(struct work *w, const uint8_t *rgb_hwc, unsigned width_px, unsigned height_px)
{
    w->c.err = jpeg_std_error(&w->manager.base);
    w->manager.base.error_exit = give_up;
    w->manager.base.output_message = say_nothing;
    if (setjmp(w->manager.back) != 0)
        return false;
    jpeg_create_compress(&w->c);
    jpeg_mem_dest(&w->c, &w->out, &w->len);
    w->c.image_width = width_px;
    w->c.image_height = height_px;
    w->c.input_components = 3;
    w->c.in_color_space = JCS_RGB;
    jpeg_set_defaults(&w->c);
    jpeg_set_quality(&w->c, QUALITY, TRUE);
    w->c.dct_method = JDCT_ISLOW;
    w->c.comp_info[0].h_samp_factor = w->c.comp_info[0].v_samp_factor = 1;
    jpeg_start_compress(&w->c, TRUE);
    while (w->c.next_scanline < height_px) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(rgb_hwc + 3 * (size_t)width_px * w->c.next_scanline);

        jpeg_write_scanlines(&w->c, &row, 1);
    }
    jpeg_finish_compress(&w->c);
    return true;
}

enum status crop_jpeg(const uint8_t *rgb_hwc, unsigned width_px, unsigned height_px, uint8_t **ret_data,
                      size_t *ret_len_bytes, struct error *e)
{
    struct work *w = calloc(1, sizeof(*w));
    enum status s = STATUS_OK;

    if (!w)
        return error_no_memory(e);
    if (compress(w, rgb_hwc, width_px, height_px)) {
        *ret_data = w->out;
        *ret_len_bytes = w->len;
    } else {
        s = error_set(e, STATUS_INVALID, "a crop of %u x %u as JPEG: %s", width_px, height_px, w->manager.text);
        free(w->out);
    }
    jpeg_destroy_compress(&w->c);
    free(w);
    return s;
}
