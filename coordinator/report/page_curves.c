/* The page's curves: ROC, DET and precision-recall with their bands, and the reliability bins.
 *
 * In: the ranking. Out: JSON sets for the charts.
 *
 * Bands are pointwise, 95 %, by the Bayesian bootstrap (Rubin 1981), stratified by class: in a replicate each video weighs
 * Exp(1), so a threshold's count c weighs Gamma(c). That needs a draw a threshold instead of one a video, so ten million
 * videos cost what four hundred do. Videos are taken as independent. */
#include "coordinator/report/page.h"

#include <math.h>
#include <stdlib.h>

#include "coordinator/evaluate/random.h"

enum { REPLICATES = 500, GRID = 101 };

/* The axes of the DET chart (charts/specs.js). */
static const double det_low = -3.3, det_high = 1.9;

/* Counts between two thresholds that the curve shows, from the highest score down. */
struct cell {
    double n_real, n_fake;
};

static size_t make_cells(const struct ranking *r, struct cell *cells)
{
    size_t n = 0;
    double step = 2.0 / PAGE_MAX_POINTS;
    struct cell cell = {0};

    for (size_t end = r->n; end > 0;) {
        do {
            end--;
            cell.n_fake += r->is_fake[end];
            cell.n_real += !r->is_fake[end];
        } while (end > 0 && r->p_fake[end - 1] == r->p_fake[end]);
        if (end > 0 && r->n > PAGE_MAX_POINTS && cell.n_real / (double)r->n_real < step &&
            cell.n_fake / (double)r->n_fake < step)
            continue;
        cells[n++] = cell;
        cell = (struct cell){0};
    }
    return n;
}

static double uniform(struct random *random)
{
    return ((double)(random_next(random) >> 11) + 0.5) / 9007199254740992.0;
}

/* Gamma(shape, 1): Marsaglia and Tsang 2000; exact for shape >= 1. */
static double gamma_draw(struct random *random, double shape)
{
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);

    if (shape <= 0)
        return 0;
    for (;;) {
        double x = sqrt(-2 * log(uniform(random))) * cos(6.283185307179586 * uniform(random));
        double v = 1 + c * x;

        if (v <= 0)
            continue;
        v = v * v * v;
        if (log(uniform(random)) < 0.5 * x * x + d - d * v + d * log(v))
            return d * v;
    }
}

/* The quantile of the standard normal, to 1e-9: Acklam's rational approximation, clamped to the chart. */
static double probit(double p)
{
    static const double a[] = {-3.969683028665376e+01, 2.209460984245205e+02,  -2.759285104469687e+02,
                               1.383577518672690e+02,  -3.066479806614716e+01, 2.506628277459239e+00};
    static const double b[] = {-5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02,
                               6.680131188771972e+01, -1.328068155288572e+01};
    static const double c[] = {-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
                               -2.549732539343734e+00, 4.374664141464968e+00,  2.938163982698783e+00};
    static const double d[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
                               3.754408661907416e+00};
    double q, r, x;

    if (p <= 0)
        return det_low - 1;
    if (p >= 1)
        return -(det_low - 1);
    if (p < 0.02425 || p > 1 - 0.02425) {
        q = sqrt(-2 * log(p < 0.5 ? p : 1 - p));
        x = (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
            ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
        x = p < 0.5 ? x : -x;
    } else {
        q = p - 0.5;
        r = q * q;
        x = (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
            (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
    }
    return fmin(fmax(x, det_low - 1), 1 - det_low);
}

/* Where a curve of n corners (x and y never falling) is at x; the upper end of an upright piece. */
static double height_at(const double *x, const double *y, size_t n, double at, size_t *from)
{
    size_t k = *from;

    while (k + 1 < n && x[k + 1] <= at)
        k++;
    *from = k;
    if (k + 1 == n || x[k + 1] <= x[k])
        return y[k];
    return y[k] + (y[k + 1] - y[k]) * (at - x[k]) / (x[k + 1] - x[k]);
}

/* The band's x: shares for ROC and precision-recall, quantiles for DET. */
struct grids {
    double share[GRID], quantile[GRID], fpr[GRID];
};

struct bands {
    double *tpr, *precision, *fnr; /* GRID x REPLICATES */
};

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return a < b ? -1 : a > b;
}

/* One replicate: corners[0] = (0, 0), then one a cell. */
static void draw(const struct cell *cells, size_t n, struct random *random, double *x, double *y)
{
    double real = 0, fake = 0;

    x[0] = y[0] = 0;
    for (size_t k = 0; k < n; k++) {
        real += gamma_draw(random, cells[k].n_real);
        fake += gamma_draw(random, cells[k].n_fake);
        x[k + 1] = real;
        y[k + 1] = fake;
    }
    for (size_t k = 1; k <= n; k++) {
        x[k] = k == n ? 1 : x[k] / real;
        y[k] = k == n ? 1 : y[k] / fake;
    }
}

/* The least precision at a threshold that reaches this recall. */
static double precision_at(const double *x, const double *y, size_t n, double recall, double share_fake, size_t *from)
{
    size_t k = *from;

    while (k + 1 < n && (y[k] < recall || y[k] <= 0))
        k++;
    *from = k;
    return share_fake * y[k] / (share_fake * y[k] + (1 - share_fake) * x[k]);
}

static void fill_bands(const struct cell *cells, size_t n, const struct ranking *r, const struct grids *g, double *x,
                       double *y, struct bands *bands)
{
    struct random random;
    double share_fake = (double)r->n_fake / (double)r->n;

    random_seed(&random, 0x70616765);
    for (size_t b = 0; b < REPLICATES; b++) {
        size_t a = 0, c = 0, d = 1;

        draw(cells, n, &random, x, y);
        for (size_t k = 0; k < GRID; k++) {
            bands->tpr[k * REPLICATES + b] = height_at(x, y, n + 1, g->share[k], &a);
            bands->fnr[k * REPLICATES + b] = 1 - height_at(x, y, n + 1, g->fpr[k], &c);
            bands->precision[k * REPLICATES + b] = precision_at(x, y, n + 1, g->share[k], share_fake, &d);
        }
    }
}

static double identity(double x)
{
    return x;
}

static void append_band(struct text *t, const double *x, double *values, double (*shown)(double))
{
    text_append_string(t, "\"band\":[");
    for (size_t k = 0; k < GRID; k++) {
        double *v = values + k * REPLICATES;

        qsort(v, REPLICATES, sizeof(*v), compare);
        text_append_format(t, "%s{\"x\":%.5g,\"low\":%.5g,\"high\":%.5g}", k > 0 ? "," : "", x[k],
                           shown(v[REPLICATES * 25 / 1000]), shown(v[REPLICATES - 1 - REPLICATES * 25 / 1000]));
    }
    text_append_string(t, "]");
}

static void append_point(struct text *t, size_t k, double x, double y)
{
    text_append_format(t, "%s{\"k\":%zu,\"x\":%.5g,\"y\":%.5g}", k > 0 ? "," : "", k, x, y);
}

static void append_at_half(struct text *t, const struct metrics *v, double x, double y)
{
    text_append_format(t,
                       "\"at\":[{\"x\":%.5g,\"y\":%.5g,\"tip\":\"at 0.5: %zu of %zu fakes caught, %zu of %zu reals "
                       "accused\"}]",
                       x, y, v->n_fake_called_fake, v->n_fake, v->n_real_called_fake, v->n_real);
}

static void append_roc(struct text *t, const struct report_model *m, const struct cell *cells, size_t n,
                       const struct grids *g, struct bands *b)
{
    const struct metrics *v = &m->video;
    double real = 0, fake = 0;

    text_append_format(t,
                       "\"roc\":{\"about\":\"ROC curve: fakes caught against reals accused for every threshold; area "
                       "%.3f.\",\"sets\":{\"guess\":[{\"x\":0,\"y\":0},{\"x\":1,\"y\":1}],\"curve\":[",
                       v->auc.value);
    append_point(t, 0, 0, 0);
    for (size_t k = 0; k < n; k++) {
        real += cells[k].n_real;
        fake += cells[k].n_fake;
        append_point(t, k + 1, real / (double)v->n_real, fake / (double)v->n_fake);
    }
    text_append_string(t, "],");
    append_band(t, g->share, b->tpr, identity);
    text_append_string(t, ",");
    append_at_half(t, v, (double)v->n_real_called_fake / (double)v->n_real,
                   (double)v->n_fake_called_fake / (double)v->n_fake);
    text_append_string(t, "}}");
}

static void append_det(struct text *t, const struct report_model *m, const struct cell *cells, size_t n,
                       const struct grids *g, struct bands *b)
{
    const struct metrics *v = &m->video;
    double real = 0, fake = 0;

    text_append_format(t,
                       ",\"det\":{\"about\":\"Detection error trade-off: fakes missed against reals accused, both axes "
                       "by the normal quantile; equal error rate %.3f.\",\"sets\":{\"guess\":[{\"x\":%g,\"y\":%g},"
                       "{\"x\":%g,\"y\":%g}],\"curve\":[",
                       v->eer.value, -det_high, det_high, det_high, -det_high);
    append_point(t, 0, probit(0), probit(1));
    for (size_t k = 0; k < n; k++) {
        real += cells[k].n_real;
        fake += cells[k].n_fake;
        append_point(t, k + 1, probit(real / (double)v->n_real), probit(1 - fake / (double)v->n_fake));
    }
    text_append_string(t, "],");
    append_band(t, g->quantile, b->fnr, probit);
    text_append_string(t, ",");
    append_at_half(t, v, probit((double)v->n_real_called_fake / (double)v->n_real),
                   probit(1 - (double)v->n_fake_called_fake / (double)v->n_fake));
    text_append_string(t, "}}");
}

static void append_pr(struct text *t, const struct report_model *m, const struct cell *cells, size_t n,
                      const struct grids *g, struct bands *b)
{
    const struct metrics *v = &m->video;
    double real = 0, fake = 0, share = (double)v->n_fake / (double)v->n;
    size_t called = v->n_fake_called_fake + v->n_real_called_fake;

    text_append_format(
        t,
        ",\"pr\":{\"about\":\"Precision against recall for every threshold; average precision %.3f; guessing "
        "gives %.3f.\",\"sets\":{\"guess\":[{\"x\":0,\"y\":%.5g},{\"x\":1,\"y\":%.5g}],\"curve\":[",
        v->average_precision.value, share, share, share);
    for (size_t k = 0; k < n; k++) {
        real += cells[k].n_real;
        fake += cells[k].n_fake;
        append_point(t, k, fake / (double)v->n_fake, fake / (fake + real));
    }
    text_append_string(t, "],");
    append_band(t, g->share, b->precision, identity);
    text_append_string(t, ",");
    if (called > 0)
        append_at_half(t, v, (double)v->n_fake_called_fake / (double)v->n_fake,
                       (double)v->n_fake_called_fake / (double)called);
    else
        text_append_string(t, "\"at\":[]");
    text_append_string(t, "}}");
}

enum status page_curves(struct text *t, const struct report_model *m, struct error *e)
{
    const struct ranking *r = &m->ranking;
    struct cell *cells = calloc(2 * PAGE_MAX_POINTS + 2, sizeof(*cells));
    double *corners = calloc(2 * (2 * PAGE_MAX_POINTS + 3), sizeof(*corners));
    double *values = calloc(3 * GRID * REPLICATES, sizeof(*values));
    struct bands bands;
    struct grids g;
    size_t n;
    enum status s = STATUS_OK;

    if (!cells || !corners || !values) {
        s = error_no_memory(e);
        goto end;
    }
    bands = (struct bands){values, values + GRID * REPLICATES, values + 2 * GRID * REPLICATES};
    for (size_t k = 0; k < GRID; k++) {
        g.share[k] = (double)k / (GRID - 1);
        g.quantile[k] = det_low + (det_high - det_low) * g.share[k];
        g.fpr[k] = erfc(-g.quantile[k] / sqrt(2)) / 2;
    }
    n = make_cells(r, cells);
    fill_bands(cells, n, r, &g, corners, corners + 2 * PAGE_MAX_POINTS + 3, &bands);
    append_roc(t, m, cells, n, &g, &bands);
    append_det(t, m, cells, n, &g, &bands);
    append_pr(t, m, cells, n, &g, &bands);
end:
    free(cells);
    free(corners);
    free(values);
    return s;
}

struct bin {
    size_t n, n_fake;
    double sum;
};

static void make_bins(const struct ranking *r, struct bin bins[METRICS_ECE_BINS])
{
    for (size_t i = 0; i < r->n; i++) {
        int k = r->p_fake[i] < 1 ? (int)(r->p_fake[i] * METRICS_ECE_BINS) : METRICS_ECE_BINS - 1;

        bins[k].n++;
        bins[k].n_fake += r->is_fake[i];
        bins[k].sum += r->p_fake[i];
    }
}

/* Wilson's 95 % interval of a share. */
static void wilson(size_t part, size_t whole, double *ret_low, double *ret_high)
{
    const double z = 1.959963984540054;
    double n = (double)whole, p = (double)part / n;
    double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
    double half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n);

    *ret_low = fmax(0, middle - half);
    *ret_high = fmin(1, middle + half);
}

void page_reliability(struct text *t, const struct report_model *m)
{
    struct bin bins[METRICS_ECE_BINS] = {0};
    size_t n = 0;

    make_bins(&m->ranking, bins);
    text_append_format(
        t,
        ",\"reliability\":{\"about\":\"Reliability diagram: the share of fakes among videos of like score, in "
        "15 bins; calibration error %.3f.\",\"sets\":{\"bins\":[",
        m->video.ece.value);
    for (size_t k = 0; k < METRICS_ECE_BINS; k++) {
        const struct bin *b = &bins[k];
        double low, high;

        if (b->n == 0)
            continue;
        wilson(b->n_fake, b->n, &low, &high);
        text_append_format(
            t,
            "%s{\"from\":%.5g,\"to\":%.5g,\"p\":%.5g,\"share\":%.5g,\"low\":%.5g,\"high\":%.5g,\"n\":%zu,"
            "\"tip\":\"%.2f to %.2f: %zu of %zu are fakes\"}",
            n++ > 0 ? "," : "", (double)k / METRICS_ECE_BINS, (double)(k + 1) / METRICS_ECE_BINS, b->sum / (double)b->n,
            (double)b->n_fake / (double)b->n, low, high, b->n, (double)k / METRICS_ECE_BINS,
            (double)(k + 1) / METRICS_ECE_BINS, b->n_fake, b->n);
    }
    text_append_string(t, "]}}");
}

void page_reliability_rows(struct text *t, const struct report_model *m)
{
    struct bin bins[METRICS_ECE_BINS] = {0};

    make_bins(&m->ranking, bins);
    for (size_t k = 0; k < METRICS_ECE_BINS; k++) {
        const struct bin *b = &bins[k];
        double low, high;

        if (b->n == 0)
            continue;
        wilson(b->n_fake, b->n, &low, &high);
        text_append_format(t, "<tr><th scope=\"row\" class=\"n\">%.3f\xe2\x80\x93%.3f</th><td class=\"n\">",
                           (double)k / METRICS_ECE_BINS, (double)(k + 1) / METRICS_ECE_BINS);
        page_count(t, b->n);
        text_append_string(t, "</td><td class=\"n\">");
        page_count(t, b->n_fake);
        text_append_format(
            t, "</td><td class=\"n\">%.3f</td><td class=\"n\">%.3f</td><td class=\"n\">%.3f\xe2\x80\x93%.3f</td></tr>",
            b->sum / (double)b->n, (double)b->n_fake / (double)b->n, low, high);
    }
}
