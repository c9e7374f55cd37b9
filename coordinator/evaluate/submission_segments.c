/* 1M-Deepfakes' second task: {"000001.mp4":[[confidence,start,end],...], ...}, seconds. */
#include "coordinator/evaluate/submission_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PROPOSALS = 10000 /* of a video; the figures look at 50, an AP at all */ };

static enum status check_one(struct submission *s, const cJSON *item, size_t line, int number, const cJSON *value,
                             double duration_s, struct proposal *ret_p, bool *ret_ok)
{
    const cJSON *confidence = cJSON_GetArrayItem(value, 0), *start = cJSON_GetArrayItem(value, 1),
                *end = cJSON_GetArrayItem(value, 2);

    *ret_ok = false;
    if (!cJSON_IsNumber(confidence) || !cJSON_IsNumber(start) || !cJSON_IsNumber(end) || cJSON_GetArraySize(value) != 3)
        return submission_tell(s, PROBLEM_VALUE, "%s:%zu: '%.200s': proposal %d: not [confidence,start,end]", s->path,
                               line, item->string, number);
    *ret_p = (struct proposal){confidence->valuedouble, start->valuedouble, end->valuedouble};
    if (!(ret_p->confidence >= 0 && ret_p->confidence <= 1))
        return submission_tell(s, PROBLEM_RANGE, "%s:%zu: '%.200s': proposal %d: confidence %g is not in 0..1", s->path,
                               line, item->string, number, ret_p->confidence);
    if (!span_ok(ret_p->start_s, ret_p->end_s))
        return submission_tell(s, PROBLEM_RANGE, "%s:%zu: '%.200s': proposal %d: %g to %g is no stretch of time",
                               s->path, line, item->string, number, ret_p->start_s, ret_p->end_s);
    s->n_beyond_end += duration_s > 0 && ret_p->end_s > duration_s + 1;
    *ret_ok = true;
    return STATUS_OK;
}

static enum status make_room(struct submission *s, size_t n)
{
    struct proposal *bigger;
    size_t room = s->proposal_room ? s->proposal_room : 1024;

    while (room < s->n_proposals + n)
        room *= 2;
    if (room == s->proposal_room)
        return STATUS_OK;
    bigger = reallocarray(s->proposals, room, sizeof(*bigger));
    if (!bigger)
        return STATUS_NO_MEMORY;
    s->proposals = bigger;
    s->proposal_room = room;
    return STATUS_OK;
}

enum status submission_take_proposals(struct submission *s, const struct truth *t, const cJSON *item, size_t line)
{
    const struct video_facts *facts;
    const cJSON *value;
    size_t index, first = s->n_proposals;
    int number = 0, n = cJSON_GetArraySize(item);
    enum status status;

    if (!s->first_proposal) {
        s->first_proposal = calloc(truth_count(t) + 1, sizeof(*s->first_proposal));
        s->n_proposals_of = calloc(truth_count(t) + 1, sizeof(*s->n_proposals_of));
        if (!s->first_proposal || !s->n_proposals_of)
            return STATUS_NO_MEMORY;
    }
    status = submission_take_id(s, t, line, item->string ? item->string : "", &index);
    if (status != STATUS_OK || index == SIZE_MAX)
        return status;
    s->answer[index] = ANSWER_DECLINED;
    if (!cJSON_IsArray(item) || n > MAX_PROPOSALS)
        return submission_tell(s, PROBLEM_VALUE, "%s:%zu: '%.200s': not a list of at most %d proposals", s->path, line,
                               item->string, MAX_PROPOSALS);
    facts = manifest_entry(truth_manifest(t), index)->facts;
    status = make_room(s, (size_t)n);
    s->answer[index] = ANSWER_GIVEN;
    cJSON_ArrayForEach(value, item)
    {
        struct proposal p = {0};
        bool ok = false;

        if (status == STATUS_OK)
            status = check_one(s, item, line, ++number, value, facts ? (double)facts->duration_us / 1e6 : 0, &p, &ok);
        if (ok)
            s->proposals[s->n_proposals++] = p;
    }
    s->first_proposal[index] = first;
    s->n_proposals_of[index] = s->n_proposals - first;
    proposals_sort(s->proposals + first, s->n_proposals - first);
    return status;
}
