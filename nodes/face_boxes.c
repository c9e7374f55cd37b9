#include "nodes/face_boxes.h"

#include <math.h>

static double box_area(const struct face *f)
{
    return ((double)f->x1 - f->x0) * ((double)f->y1 - f->y0);
}

static double intersection(const struct face *a, const struct face *b)
{
    double w = (double)fminf(a->x1, b->x1) - fmaxf(a->x0, b->x0);
    double h = (double)fminf(a->y1, b->y1) - fmaxf(a->y0, b->y0);

    return w > 0 && h > 0 ? w * h : 0;
}

static bool box_is_proper(const struct face *f)
{
    return isfinite(f->x0) && isfinite(f->y0) && isfinite(f->x1) && isfinite(f->y1) && f->x1 > f->x0 && f->y1 > f->y0;
}

double face_overlap(const struct face *a, const struct face *b)
{
    double both;

    if (!box_is_proper(a) || !box_is_proper(b))
        return 0;
    both = intersection(a, b);
    return both / (box_area(a) + box_area(b) - both);
}

/* A total order, so that any way of sorting gives the same list. */
static bool is_better(const struct face_candidate *a, const struct face_candidate *b)
{
    if (a->face.confidence != b->face.confidence)
        return a->face.confidence > b->face.confidence;
    return a->order < b->order;
}

/* list is a heap with the worst on top, but for the element at `at`, which may have to go down. */
static void sift_down(struct face_candidate *list, size_t count, size_t at)
{
    struct face_candidate moving = list[at];
    size_t child;

    for (; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && is_better(&list[child], &list[child + 1]))
            child++;
        if (!is_better(&moving, &list[child]))
            break;
        list[at] = list[child];
    }
    list[at] = moving;
}

void face_sort(struct face_candidate *list, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sift_down(list, count, i);
    for (size_t end = count; end > 1;) {
        struct face_candidate worst = list[0];

        end--;
        list[0] = list[end];
        list[end] = worst;
        sift_down(list, end, 0);
    }
}

size_t face_keep_best(struct face_candidate *list, size_t count, size_t room, const struct face_candidate *c)
{
    size_t at = count;

    if (count == room) {
        if (room > 0 && is_better(c, &list[0])) {
            list[0] = *c;
            sift_down(list, count, 0);
        }
        return count;
    }
    for (; at > 0 && is_better(&list[(at - 1) / 2], c); at = (at - 1) / 2)
        list[at] = list[(at - 1) / 2];
    list[at] = *c;
    return count + 1;
}

size_t face_suppress(struct face_candidate *list, size_t count, enum face_suppression kind, double limit)
{
    size_t kept = 0;

    face_sort(list, count);
    for (size_t i = 0; i < count; i++) {
        double area = box_area(&list[i].face);
        bool dropped = false;

        for (size_t k = 0; k < kept && !dropped; k++) {
            double both = intersection(&list[i].face, &list[k].face);
            double other = box_area(&list[k].face);
            double whole = kind == FACE_SUPPRESS_UNION ? area + other - both : fmin(area, other);

            dropped = both > limit * whole;
        }
        if (!dropped)
            list[kept++] = list[i];
    }
    return kept;
}

void face_calibrate(struct face_candidate *c)
{
    float w = c->face.x1 - c->face.x0, h = c->face.y1 - c->face.y0;

    c->face.x0 += c->shift[0] * w;
    c->face.y0 += c->shift[1] * h;
    c->face.x1 += c->shift[2] * w;
    c->face.y1 += c->shift[3] * h;
}

bool face_is_sane(const struct face *f, double width_px, double height_px)
{
    double most = 2 * fmax(width_px, height_px);

    for (unsigned i = 0; i < 5; i++) {
        if (!(fabsf(f->points_xy[i][0]) <= most + width_px) || !(fabsf(f->points_xy[i][1]) <= most + height_px))
            return false;
    }
    return f->confidence >= 0 && f->confidence <= 1 && box_is_proper(f) && f->x1 - f->x0 <= most &&
           f->y1 - f->y0 <= most && f->x1 > 0 && f->y1 > 0 && f->x0 < width_px && f->y0 < height_px;
}
