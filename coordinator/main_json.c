#include "coordinator/main_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shard/file.h"
#include "shard/text.h"

static cJSON *attach(struct json *j, cJSON *parent, const char *key, cJSON *item)
{
    bool ok =
        item && (!parent || (key ? cJSON_AddItemToObject(parent, key, item) : cJSON_AddItemToArray(parent, item)));

    if (ok) {
        if (!parent && !j->root)
            j->root = item;
        return item;
    }
    cJSON_Delete(item);
    j->failed = true;
    return NULL;
}

cJSON *json_object(struct json *j, cJSON *parent, const char *key)
{
    return j->failed ? NULL : attach(j, parent, key, cJSON_CreateObject());
}

cJSON *json_array(struct json *j, cJSON *parent, const char *key)
{
    return j->failed ? NULL : attach(j, parent, key, cJSON_CreateArray());
}

void json_text(struct json *j, cJSON *parent, const char *key, const char *value)
{
    struct text t = {0};

    text_append_utf8(&t, value);
    if (t.failed)
        j->failed = true;
    if (!j->failed)
        attach(j, parent, key, cJSON_CreateString(t.data ? t.data : ""));
    text_clear(&t);
}

void json_number(struct json *j, cJSON *parent, const char *key, double value)
{
    if (!j->failed)
        attach(j, parent, key, isfinite(value) ? cJSON_CreateNumber(value) : cJSON_CreateNull());
}

void json_bool(struct json *j, cJSON *parent, const char *key, bool value)
{
    if (!j->failed)
        attach(j, parent, key, cJSON_CreateBool(value));
}

void json_interval(struct json *j, cJSON *parent, const char *key, const struct interval *i)
{
    cJSON *o = json_object(j, parent, key);

    if (i->undefined) {
        json_text(j, o, "undefined", undefined_reason(i->undefined));
        return;
    }
    json_number(j, o, "low", i->low);
    json_number(j, o, "high", i->high);
    if (i->is_influence)
        json_text(j, o, "by", "influence");
    if (i->replicates > 0)
        json_number(j, o, "replicates", i->replicates);
    if (i->n_clusters > 0)
        json_number(j, o, "clusters", i->n_clusters);
    if (i->is_collapsed)
        json_bool(j, o, "collapsed", true);
}

void json_metrics(struct json *j, cJSON *parent, const struct metrics *m)
{
    cJSON *figures;

    json_number(j, parent, "n", (double)m->n);
    json_number(j, parent, "n_real", (double)m->n_real);
    json_number(j, parent, "n_fake", (double)m->n_fake);
    figures = json_object(j, parent, "figures");
    for (int k = 0; k < FIGURE_COUNT; k++) {
        const struct measure *v = metrics_figure(m, (enum figure_id)k);
        cJSON *o = json_object(j, figures, figure_name((enum figure_id)k));

        json_number(j, o, "value", v->value);
        if (v->undefined)
            json_text(j, o, "undefined", undefined_reason(v->undefined));
        else
            json_interval(j, o, "bootstrap_95", &m->intervals[k]);
        if (k == FIGURE_AUC)
            json_interval(j, o, "delong_95", &m->auc_delong);
    }
}

enum status json_write(struct json *j, const char *path, struct error *e)
{
    char *text = j->failed ? NULL : cJSON_Print(j->root);
    enum status s = text ? file_write(path, text, strlen(text), e) : error_no_memory(e);

    cJSON_Delete(j->root);
    *j = (struct json){0};
    cJSON_free(text);
    return s;
}
