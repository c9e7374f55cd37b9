/* page: the parts of report.html. Structure and prose are in page.html, looks in page.css, behaviour in
 * page.js; what C appends here is rows, numbers and the charts' data. Everything that came from outside goes through
 * text_append_html, or through JSON with "<" escaped. Internal to coordinator/report. */
#ifndef FAKESIFT_COORDINATOR_REPORT_PAGE_H
#define FAKESIFT_COORDINATOR_REPORT_PAGE_H

#include "coordinator/report/model.h"
#include "shard/text.h"

enum {
    PAGE_MAX_ROWS = 100000,     /* of the table of all videos; a browser still opens it in seconds */
    PAGE_MAX_CLIPS = 100000,    /* of all videos' time lines together */
    PAGE_MAX_UNSCORED = 500,    /* rows of the table of unscored videos */
    PAGE_MAX_SLOWEST = 15,      /* rows of the table of slow videos */
    PAGE_MAX_TIMED = 1000000,   /* videos; beyond, finding the slowest would cost the page more than all else */
    PAGE_MAX_POINTS = 400,      /* of a curve */
    PAGE_MAX_FAMILIES = 40,     /* rows of the families' chart */
    PAGE_MAX_STARTS = 50,       /* rows of the table of starts */
    PAGE_MAX_JSON_DEPTH = 16,   /* of the protocol and environment tables; deeper is shown as JSON */
    PAGE_MAX_FIRST = 48,        /* videos that "look at these first" can name */
    PAGE_MAX_CROP_BYTES = 65536 /* of one face crop */
};

/* 1234567 -> "1,234,567" */
void page_count(struct text *t, size_t n);
/* "1 video", "2 videos" */
void page_n(struct text *t, size_t n, const char *singular);
/* "0.874-0.950", or the reason where it is undefined. */
void page_range(struct text *t, const struct interval *i);
/* The widest interval of the AUC at video level, and how it was made. */
const struct interval *page_widest(const struct report_model *m, const char **ret_name);
/* A JSON string with its quotes that may stand inside <script>. */
void page_json(struct text *t, const char *string);
/* <meter>: how far a share of 0..1 goes. */
void page_score_bar(struct text *t, double p_fake);

/* page_write.c: a template with its {{names}} filled in. A name's function appends what stands for it. */
struct page_part {
    const char *name;
    void (*append)(struct text *,
                   const struct report_model *); /* fails for want of memory alone, which the text keeps */
    enum status (*try_append)(struct text *, const struct report_model *, struct error *);
};
enum status page_fill(struct text *t, const char *template, const struct page_part *parts, size_t n_parts,
                      const struct report_model *m, struct error *e);
/* The parts that every page has: policy, css, charts_js, video_js. */
enum status page_policy(struct text *t, const struct report_model *m, struct error *e);
enum status page_css_part(struct text *t, const struct report_model *m, struct error *e);
enum status page_charts_js_part(struct text *t, const struct report_model *m, struct error *e);
enum status page_video_js_part(struct text *t, const struct report_model *m, struct error *e);
enum status page_js_part(struct text *t, const struct report_model *m, struct error *e);
/* Whether this build has the charts' library (coordinator/report/charts). */
bool page_has_charts(void);

/* page_charts.c: a chart's place, with its caption; its numbers are in page_chart_data. */
enum page_chart {
    CHART_OUTCOMES,
    CHART_SCORES,
    CHART_FAMILIES,
    CHART_ROC,
    CHART_DET,
    CHART_PR,
    CHART_RELIABILITY,
    CHART_INTERVALS
};
void page_chart(struct text *t, const struct report_model *m, enum page_chart chart);
/* "charts":{"roc":{"about":"...","sets":{"curve":[...]}},...} */
enum status page_chart_data(struct text *t, const struct report_model *m, struct error *e);

/* page_curves.c: the sets of the ROC, DET and precision-recall charts, and the reliability bins. */
enum status page_curves(struct text *t, const struct report_model *m, struct error *e);
void page_reliability(struct text *t, const struct report_model *m);
void page_reliability_rows(struct text *t, const struct report_model *m);

/* page_tables.c */
void page_outcomes(struct text *t, const struct report_model *m);
void page_figures(struct text *t, const struct report_model *m);
void page_groups(struct text *t, const struct report_model *m);
void page_policies(struct text *t, const struct report_model *m);

/* page_detectors.c: nothing where the run has one. */
void page_detectors(struct text *t, const struct report_model *m);

/* page_facts.c */
/* {"x":{"y":1}} -> a row "x.y", 1; a list of lists has a row a member, another list one row */
void page_json_table(struct text *t, const char *json, const char *caption);
/* What run_folder_execution_json gives: a row a start, then what they share. */
void page_environment(struct text *t, const char *json);

/* page_videos.c */
void page_first(struct text *t, const struct report_model *m);
/* The manifest's indices of the videos that page_first names, the most important first, none twice; at most
 * PAGE_MAX_FIRST. */
size_t page_first_indices(const struct report_model *m, size_t *ret_indices);
void page_slowest(struct text *t, const struct report_model *m);
void page_unscored(struct text *t, const struct report_model *m);

/* page_data.c */
void page_all_note(struct text *t, const struct report_model *m);
/* "rows":{...},"clips":{...}: columns of the videos that the page holds, texts kept once. */
enum status page_rows(struct text *t, const struct report_model *m, struct error *e);
/* The same of one video. */
enum status page_one_row(struct text *t, const struct manifest *manifest, struct results_reader *reader, size_t index,
                         struct error *e);

/* page_crops.c: "crops":{"PATH":[[track,clip,time in us,"data:..."],...]}: face crops of these videos that the run saved
 * (RUN/crops/crops.csv), at most max_bytes of files together; {} where it saved none. */
enum status page_crops(struct text *t, const struct report_input *in, const size_t *indices, size_t n, size_t max_bytes,
                       struct error *e);

/* A table that scrolls by itself: open, a row of heads (those from first_number on are of numbers), rows, close. */
void page_table_open(struct text *t, const char *caption, const char *class);
void page_table_heads(struct text *t, const char *const *names, size_t n, size_t first_number);
void page_table_close(struct text *t);

#endif
