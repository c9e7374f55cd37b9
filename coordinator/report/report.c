#include "coordinator/report/report.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "coordinator/report/model.h"
#include "shard/clock.h"
#include "shard/file.h"

bool utf8_is_valid(const char *string)
{
    const unsigned char *p = (const unsigned char *)string;

    /* Nearly all names are ASCII. */
    while (*p != '\0' && *p < 0x80)
        p++;
    while (*p != '\0') {
        unsigned more = *p < 0x80 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
        uint32_t code = more == 0 ? *p : *p & (0x3fu >> more);
        /* The smallest code point of each length: anything below is an overlong form. */
        static const uint32_t smallest[] = {0, 0x80, 0x800, 0x10000};

        if ((*p >= 0x80 && *p < 0xc2) || *p > 0xf4)
            return false;
        p++;
        for (unsigned k = 0; k < more; k++, p++) {
            if ((*p & 0xc0) != 0x80)
                return false;
            code = code << 6 | (*p & 0x3f);
        }
        if (code < smallest[more] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
            return false;
    }
    return true;
}

/* The database is a thread's work, since it takes as long as all else together. */
struct database_work {
    const struct report_input *in;
    char *path;
    struct database *database;
    atomic_bool stop;
    double seconds;
    enum status status;
    struct error e;
};

static double now_s(void)
{
    return (double)clock_monotonic_us() / 1e6;
}

static void *fill_database(void *context)
{
    struct database_work *w = context;
    double start = now_s();

    w->status = results_sqlite_begin(w->in, w->path, &w->stop, &w->database, &w->e);
    w->seconds = now_s() - start;
    return NULL;
}

static enum status write_file(const struct report_model *m, const char *name,
                              enum status (*write)(const struct report_model *, const char *, struct error *),
                              double *ret_seconds, struct error *e)
{
    double start = now_s();
    char *path = file_join(m->in->run_folder, name);
    enum status s = path ? write(m, path, e) : error_no_memory(e);

    free(path);
    *ret_seconds = now_s() - start;
    return s;
}

static enum status write_page(const struct report_input *in, const struct text *page, struct error *e)
{
    char *path = file_join(in->run_folder, "report.html");
    enum status s = path ? file_write(path, page->data, page->len_bytes, e) : error_no_memory(e);

    free(path);
    return s;
}

static enum status finish_database(struct database_work *w, const struct report_model *m, struct error *e)
{
    double start = now_s();
    enum status s = w->status;

    if (s != STATUS_OK)
        *e = w->e;
    else
        s = results_sqlite_finish(&w->database, m, e);
    w->seconds += now_s() - start;
    return s;
}

enum status report_make(const struct report_input *in, FILE *out, struct report_times *ret_times, struct error *e)
{
    struct database_work work = {.in = in, .path = file_join(in->run_folder, "results.sqlite")};
    struct report_times times = {0};
    struct report_model m = {0};
    struct text page = {0};
    double start = now_s();
    pthread_t thread;
    bool has_thread;
    enum status s = work.path ? model_begin(in, &m, e) : error_no_memory(e);

    if (s != STATUS_OK) {
        free(work.path);
        return s;
    }
    has_thread = pthread_create(&thread, NULL, fill_database, &work) == 0;
    s = model_finish(&m, MODEL_WHOLE, e);
    times.figures_s = now_s() - start;
    if (s == STATUS_OK)
        s = write_file(&m, "scores.csv", scores_csv_write, &times.scores_csv_s, e);
    if (s == STATUS_OK)
        s = write_file(&m, "report.json", results_json_write, &times.report_json_s, e);
    times.report_html_s = now_s();
    if (s == STATUS_OK)
        s = page_make(&m, &page, e);
    times.report_html_s = now_s() - times.report_html_s;
    atomic_store(&work.stop, s != STATUS_OK);
    if (has_thread)
        pthread_join(thread, NULL);
    else if (s == STATUS_OK)
        fill_database(&work);
    if (s == STATUS_OK)
        s = finish_database(&work, &m, e);
    times.results_sqlite_s = work.seconds;
    /* Last: who sees the page has everything that it speaks of. */
    if (s == STATUS_OK)
        s = write_page(in, &page, e);
    if (s == STATUS_OK && out)
        s = summary_print(&m, out, e);
    results_sqlite_abandon(&work.database);
    model_clear(&m);
    text_clear(&page);
    free(work.path);
    if (s == STATUS_OK && ret_times)
        *ret_times = times;
    return s;
}

enum status report_write(const struct report_input *in, struct error *e)
{
    return report_make(in, NULL, NULL, e);
}
