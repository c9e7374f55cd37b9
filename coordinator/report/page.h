/* page: the parts of report.html. Structure and prose are in page.html, looks in page.css, behaviour in
 * page.js; what C appends here is rows, marks and numbers. Everything that came from outside goes through
 * text_append_html, or through JSON with "<" escaped. Internal to coordinator/report. */
#ifndef FAKESIFT_COORDINATOR_REPORT_PAGE_H
#define FAKESIFT_COORDINATOR_REPORT_PAGE_H

#include "coordinator/report/model.h"
#include "shard/text.h"

enum {
    PAGE_MAX_ROWS = 100000,   /* of the table of all videos; a browser still opens it in seconds */
    PAGE_MAX_UNSCORED = 500,  /* rows of the table of unscored videos */
    PAGE_MAX_POINTS = 400,    /* of the ROC curve */
    PAGE_MAX_JSON_DEPTH = 16, /* of the protocol and environment tables; deeper is shown as JSON */
};

/* 1234567 -> "1,234,567" */
void page_count(struct text *t, size_t n);
/* "0.874-0.950", or the reason where it is undefined. */
void page_range(struct text *t, const struct interval *i);
/* The widest interval of the AUC at video level, and how it was made. */
const struct interval *page_widest(const struct report_model *m, const char **ret_name);

/* page_charts.c */
void page_outcome_bar(struct text *t, const struct report_model *m);
void page_histogram(struct text *t, const struct report_model *m);
void page_roc(struct text *t, const struct report_model *m);
/* A dot with its whisker on 0..1; a gap when the AUC is undefined. */
void page_whisker(struct text *t, const struct measure *auc, const struct interval *i);
void page_score_bar(struct text *t, double p_fake);

/* page_tables.c */
void page_outcomes(struct text *t, const struct report_model *m);
void page_figures(struct text *t, const struct report_model *m);
void page_groups(struct text *t, const struct report_model *m);
void page_policies(struct text *t, const struct report_model *m);
/* {"x":{"y":1}} -> a row "x.y", 1; a list of lists has a row a member, another list one row */
void page_json_table(struct text *t, const char *json, const char *caption);

/* page_videos.c */
void page_first(struct text *t, const struct report_model *m);
void page_unscored(struct text *t, const struct report_model *m);
void page_all_note(struct text *t, const struct report_model *m);
enum status page_data(struct text *t, const struct report_model *m, struct error *e);

#endif
