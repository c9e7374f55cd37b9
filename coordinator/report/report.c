#include "coordinator/report/report.h"

#include <stdlib.h>

#include "coordinator/report/model.h"
#include "shard/file.h"

bool utf8_is_valid(const char *string)
{
    const unsigned char *p = (const unsigned char *)string;

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

enum status report_write(const struct report_input *in, struct error *e)
{
    static const struct {
        const char *name;
        enum status (*write)(const struct report_model *, const char *, struct error *);
    } files[] = {
        {"scores.csv", scores_csv_write},
        {"report.json", results_json_write},
        {"results.sqlite", results_sqlite_write},
        /* Last: who sees the page has everything that it speaks of. */
        {"report.html", page_write},
    };
    struct report_model m = {0};
    enum status s = model_make(in, MODEL_WHOLE, &m, e);

    for (size_t k = 0; s == STATUS_OK && k < sizeof(files) / sizeof(files[0]); k++) {
        char *path = file_join(in->run_folder, files[k].name);

        s = path ? files[k].write(&m, path, e) : error_no_memory(e);
        free(path);
    }
    model_clear(&m);
    return s;
}
