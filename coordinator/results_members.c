#include "coordinator/results_members.h"

#include <math.h>
#include <stdlib.h>

static enum status grow(struct member_columns *c, size_t n)
{
    for (; c->n < n; c->n++) {
        uint8_t *outcomes = calloc(c->n_entries + 1, sizeof(*outcomes));
        double *p_fake = calloc(c->n_entries + 1, sizeof(*p_fake));
        uint32_t *messages = calloc(c->n_entries + 1, sizeof(*messages));

        if (!outcomes || !p_fake || !messages) {
            free(outcomes);
            free(p_fake);
            free(messages);
            return STATUS_NO_MEMORY;
        }
        c->columns[c->n].outcomes = outcomes;
        c->columns[c->n].p_fake = p_fake;
        c->columns[c->n].messages = messages;
    }
    return STATUS_OK;
}

enum status member_columns_put(struct member_columns *c, size_t index, const struct result *r, const uint32_t *messages)
{
    enum status s = grow(c, r->n_members);

    for (size_t i = 0; s == STATUS_OK && i < c->n; i++) {
        bool has = i < r->n_members;

        c->columns[i].outcomes[index] = (uint8_t)(has ? r->members[i].outcome : OUTCOME_UNDECIDED);
        c->columns[i].p_fake[index] = has ? r->members[i].p_fake : NAN;
        c->columns[i].messages[index] = has ? messages[i] : 0;
    }
    return s;
}

void member_columns_clear(struct member_columns *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->columns[i].outcomes);
        free(c->columns[i].p_fake);
        free(c->columns[i].messages);
    }
    *c = (struct member_columns){0};
}
