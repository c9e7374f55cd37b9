/* embedded: the files of this folder that the build puts into the program (embed.cmake). */
#ifndef FAKESIFT_COORDINATOR_REPORT_EMBEDDED_H
#define FAKESIFT_COORDINATOR_REPORT_EMBEDDED_H

#include <stddef.h>

/* Each ends with a zero byte that its length does not count. page_charts_js is empty where the build had no npm. */
extern const char page_html[], page_explain_html[], page_css[], page_charts_js[], page_video_js[], page_js[],
    schema_sql[];
extern const size_t page_html_len_bytes, page_explain_html_len_bytes, page_css_len_bytes, page_charts_js_len_bytes,
    page_video_js_len_bytes, page_js_len_bytes, schema_sql_len_bytes;

#endif
