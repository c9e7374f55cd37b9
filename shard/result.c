#include "shard/result.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/segment.h"

static bool ends_inside(const char *array, size_t room)
{
    return memchr(array, '\0', room) != NULL;
}

bool video_facts_valid(const struct video_facts *f)
{
    return ends_inside(f->container, sizeof(f->container)) && ends_inside(f->codec, sizeof(f->codec)) &&
           ends_inside(f->pixel_format, sizeof(f->pixel_format)) && ends_inside(f->encoder, sizeof(f->encoder)) &&
           f->rotation_deg >= 0 && f->rotation_deg <= 270 && f->rotation_deg % 90 == 0 &&
           (f->fps_num == 0 || f->fps_den > 0) && f->duration_us >= 0 && f->n_frames >= 0 && f->bit_rate_bps >= 0;
}

bool picture_prints_valid(const struct picture_print *prints, size_t n)
{
    if (n > RESULT_MAX_PRINTS)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct picture_print *p = &prints[i];

        if (p->quality > PRINT_MAX_QUALITY || p->brightness > 255 || p->black_percent > 100 ||
            p->sharpness > UINT16_MAX || p->change > UINT16_MAX || (i > 0 && p->pts_us <= p[-1].pts_us))
            return false;
    }
    return true;
}

void result_clear(struct result *r)
{
    free(r->path);
    free(r->content);
    free(r->clips);
    segment_free(&r->segment);
    /* Members have none of their own. */
    for (size_t i = 0; i < r->n_members; i++) {
        free(r->members[i].path);
        free(r->members[i].content);
        free(r->members[i].clips);
        segment_free(&r->members[i].segment);
    }
    free(r->members);
    *r = (struct result){0};
}

enum status result_set_path(struct result *r, const char *path)
{
    char *copy = strdup(path);

    if (!copy)
        return STATUS_NO_MEMORY;
    free(r->path);
    r->path = copy;
    return STATUS_OK;
}

enum status result_set_content(struct result *r, const char *content)
{
    char *copy = content && content[0] != '\0' ? strdup(content) : NULL;

    if (content && content[0] != '\0' && !copy)
        return STATUS_NO_MEMORY;
    free(r->content);
    r->content = copy;
    return STATUS_OK;
}

void result_set_message(struct result *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(r->message, sizeof(r->message), format, args);
    va_end(args);
    for (char *p = r->message; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    }
}
