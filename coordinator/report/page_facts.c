/* The page's tables of JSON: the protocol, and where the run was worked on. */
#include "coordinator/report/page.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>
#include <time.h>

/* A value in one line: numbers that are moments as dates, long fractions cut. */
static void json_value(struct text *t, const char *name, const cJSON *value)
{
    size_t len = strlen(name);
    char *json;

    if (cJSON_IsString(value)) {
        text_append_html(t, value->valuestring);
    } else if (cJSON_IsNumber(value) && len > 7 && strcmp(name + len - 7, "_unix_s") == 0 &&
               fabs(value->valuedouble) < 1e11) {
        time_t moment = (time_t)value->valuedouble;
        char date[40];
        struct tm tm;

        if (gmtime_r(&moment, &tm) && strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", &tm) > 0)
            text_append_string(t, date);
    } else if (cJSON_IsNumber(value)) {
        text_append_format(t, "%.10g", value->valuedouble);
    } else {
        json = cJSON_PrintUnformatted(value);
        if (json)
            text_append_html(t, json);
        else
            t->failed = true;
        cJSON_free(json);
    }
}

static bool is_flat(const cJSON *value)
{
    const cJSON *child;

    cJSON_ArrayForEach(child, value)
    {
        if (cJSON_IsObject(child) || cJSON_IsArray(child))
            return false;
    }
    return true;
}

/* A list whose members hold no lists: one row, a line a member. */
static bool is_list(const cJSON *value)
{
    const cJSON *child;

    if (!cJSON_IsArray(value))
        return false;
    cJSON_ArrayForEach(child, value)
    {
        if (cJSON_IsArray(child) || !is_flat(child))
            return false;
    }
    return true;
}

static void json_list(struct text *t, const cJSON *list)
{
    const cJSON *member, *field;

    if (!list->child)
        text_append_string(t, "none");
    cJSON_ArrayForEach(member, list)
    {
        if (member != list->child)
            text_append_string(t, cJSON_IsObject(member) ? "<br>" : ", ");
        if (!cJSON_IsObject(member))
            json_value(t, "", member);
        cJSON_ArrayForEach(field, member)
        {
            text_append_string(t, field == member->child ? "" : ", ");
            text_append_html(t, field->string ? field->string : "");
            text_append_string(t, " ");
            json_value(t, field->string ? field->string : "", field);
        }
    }
}

static void json_row(struct text *t, const char *name, const cJSON *value)
{
    text_append_string(t, "<tr><th scope=\"row\">");
    text_append_html(t, name);
    text_append_string(t, "</th><td>");
    if (is_list(value))
        json_list(t, value);
    else
        json_value(t, name, value);
    text_append_string(t, "</td></tr>");
}

/* {"x":{"y":1},"z":[{"a":[2]}]} -> rows "x.y" and "z 1.a" */
static void json_rows(struct text *t, const char *prefix, const cJSON *object, int depth)
{
    const cJSON *child;
    size_t n = 0;

    cJSON_ArrayForEach(child, object)
    {
        struct text name = {0};

        text_append_string(&name, prefix);
        if (cJSON_IsArray(object))
            text_append_format(&name, " %zu", ++n);
        else if (prefix[0] != '\0')
            text_append(&name, ".", 1);
        text_append_string(&name, child->string ? child->string : "");
        if (name.failed)
            t->failed = true;
        else if (child->child && depth < PAGE_MAX_JSON_DEPTH && !is_list(child))
            json_rows(t, name.data, child, depth + 1);
        else
            json_row(t, name.data, child);
        text_clear(&name);
    }
}

void page_json_table(struct text *t, const char *json, const char *caption)
{
    static const char *const names[] = {"Field", "Value"};
    cJSON *object = json ? cJSON_Parse(json) : NULL;

    if (!object || !object->child) {
        text_append_string(t, "<p class=\"why\">Nothing stated.</p>");
    } else {
        page_table_open(t, caption, "facts");
        page_table_heads(t, names, 2, 2);
        json_rows(t, "", object, 0);
        page_table_close(t);
    }
    cJSON_Delete(object);
}

static double number_of(const cJSON *object, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);

    return cJSON_IsNumber(value) ? value->valuedouble : NAN;
}

static void text_cell(struct text *t, const cJSON *object, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);

    text_append_string(t, "<td>");
    if (value)
        json_value(t, key, value);
    text_append_string(t, "</td>");
}

/* decimals < 0: a count */
static void number_cell(struct text *t, double value, int decimals, const char *unit)
{
    text_append_string(t, "<td class=\"n\">");
    if (decimals < 0 && value >= 0 && value < 1e15)
        page_count(t, (size_t)value);
    else if (isfinite(value))
        text_append_format(t, "%.*f%s", decimals < 0 ? 0 : decimals, value, unit);
    text_append_string(t, "</td>");
}

static void start_row(struct text *t, const cJSON *x)
{
    double seconds = number_of(x, "wall_s");

    text_append_string(t, "<tr>");
    text_cell(t, x, "start_unix_s");
    if (seconds < 120)
        number_cell(t, seconds, 1, "\xc2\xa0s");
    else if (seconds < 7200)
        number_cell(t, seconds / 60, 1, "\xc2\xa0min");
    else
        number_cell(t, seconds / 3600, 1, "\xc2\xa0h");
    text_cell(t, x, "host");
    text_cell(t, x, "job");
    number_cell(t, number_of(x, "ranks"), -1, "");
    number_cell(t, number_of(x, "lanes"), -1, "");
    number_cell(t, number_of(x, "videos_decided"), -1, "");
    number_cell(t, number_of(x, "frames_decoded"), -1, "");
    number_cell(t, 100 * number_of(x, "efficiency"), 1, "\xc2\xa0%");
    number_cell(t, number_of(x, "core_hours_per_1000_videos"), 3, "");
    text_cell(t, x, "end");
    text_append_string(t, "</tr>");
}

/* What a row of the table of starts has no column for, of the last start. */
static void other_facts(struct text *t, const cJSON *last)
{
    static const char *const shown[] = {
        "start_unix_s", "wall_s",         "host",           "job",        "ranks",
        "lanes",        "videos_decided", "frames_decoded", "efficiency", "core_hours_per_1000_videos",
        "end",          "slowest"};
    static const char *const names[] = {"Fact", "Value"};
    cJSON *rest = cJSON_Duplicate(last, true);

    if (!rest) {
        t->failed = true;
        return;
    }
    for (size_t k = 0; k < sizeof(shown) / sizeof(shown[0]); k++)
        cJSON_DeleteItemFromObjectCaseSensitive(rest, shown[k]);
    if (rest->child) {
        text_append_string(t, "<h3>The last start, further</h3>");
        page_table_open(t, "Environment of the last start", "facts");
        page_table_heads(t, names, 2, 2);
        json_rows(t, "", rest, 0);
        page_table_close(t);
    }
    cJSON_Delete(rest);
}

void page_environment(struct text *t, const char *json)
{
    static const char *const names[] = {"Started", "Took",   "Host",        "Job",        "Ranks",
                                        "Lanes",   "Videos", "Frames read", "Lanes busy", "Core hours per 1,000",
                                        "Ended"};
    static const bool is_number[] = {false, true, false, false, true, true, true, true, true, true, false};
    cJSON *object = json ? cJSON_Parse(json) : NULL;
    const cJSON *starts = cJSON_GetObjectItemCaseSensitive(object, "executions"), *x;
    int n = cJSON_GetArraySize(starts), k = 0;

    if (!cJSON_IsArray(starts) || n == 0) {
        cJSON_Delete(object);
        page_json_table(t, json, "Environment");
        return;
    }
    text_append_string(t, "<p class=\"about\">This run was worked on in ");
    page_n(t, (size_t)n, "start");
    if (n > PAGE_MAX_STARTS)
        text_append_format(t, "; the last %d are shown, all are in <code>run.json</code>", PAGE_MAX_STARTS);
    text_append_string(t, ".</p>");
    page_table_open(t, "Starts", "starts");
    for (size_t c = 0; c < sizeof(names) / sizeof(names[0]); c++)
        text_append_format(t, "<th scope=\"col\"%s>%s</th>", is_number[c] ? " class=\"n\"" : "", names[c]);
    text_append_string(t, "</tr></thead><tbody>");
    cJSON_ArrayForEach(x, starts)
    {
        if (k++ >= n - PAGE_MAX_STARTS)
            start_row(t, x);
    }
    page_table_close(t);
    other_facts(t, cJSON_GetArrayItem(starts, n - 1));
    cJSON_Delete(object);
}
