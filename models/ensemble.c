#include "models/ensemble.h"

#include <math.h>

#include "models/card.h"
#include "models/card_fields.h"

/* clang-format off */

static const struct choice kinds[] = {{"ensemble", CARD_ENSEMBLE}, {0}};
/* Rules of shard/aggregate.h that make sense of a few scores of different makers. */
static const struct choice rules[] = {
    {"mean", AGGREGATE_MEAN}, {"mean_logit", AGGREGATE_MEAN_LOGIT}, {"max", AGGREGATE_MAX},
    {"median", AGGREGATE_MEDIAN}, {"top_k", AGGREGATE_TOP_K}, {0}};
static const struct choice needs[] = {{"all", ENSEMBLE_NEEDS_ALL}, {"any", ENSEMBLE_NEEDS_ANY}, {0}};

#define AT(type, member) .offset = offsetof(struct type, member)
#define TEXT(type, member) AT(type, member), .size = sizeof(((struct type *)0)->member)
#define RANGE(low, high, otherwise) .min = (low), .max = (high), .fallback = (otherwise)

static const struct field member_fields[] = {
    {"detector", FIELD_FILE, CARD_OF_ENSEMBLE, CARD_OF_ENSEMBLE, TEXT(card_member, detector), .silent = true},
    {"weight", FIELD_NUMBER, CARD_OF_ENSEMBLE, 0, AT(card_member, weight), RANGE(1e-6, 1e6, 1)},
    {0}};

static const struct field ensemble_fields[] = {
    {"members", FIELD_LIST, CARD_OF_ENSEMBLE, CARD_OF_ENSEMBLE, AT(card_ensemble, members),
     .size = sizeof(struct card_member), RANGE(2, CARD_MAX_MEMBERS, 0),
     .count_offset = offsetof(struct card_ensemble, n_members), .fields = member_fields},
    {"combine", FIELD_CHOICE, CARD_OF_ENSEMBLE, 0, AT(card_ensemble, combine), .choices = rules,
     .fallback = AGGREGATE_MEAN},
    {"top_k", FIELD_COUNT, CARD_OF_ENSEMBLE, 0, AT(card_ensemble, top_k), RANGE(1, CARD_MAX_MEMBERS, 3)},
    {"needs", FIELD_CHOICE, CARD_OF_ENSEMBLE, 0, AT(card_ensemble, needs), .choices = needs,
     .fallback = ENSEMBLE_NEEDS_ALL},
    {0}};

static const struct field calibration_fields[] = {
    {"temperature", FIELD_NUMBER, CARD_OF_ENSEMBLE, 0, AT(card_calibration, temperature), RANGE(0.001, 1000, 1)},
    {"bias", FIELD_NUMBER, CARD_OF_ENSEMBLE, 0, AT(card_calibration, bias), RANGE(-100, 100, 0)},
    {0}};

const struct field card_ensemble_fields[] = {
    {"kind", FIELD_CHOICE, CARD_OF_ENSEMBLE, CARD_OF_ENSEMBLE, AT(card, kind), .choices = kinds},
    {"name", FIELD_NAME, CARD_OF_ENSEMBLE, CARD_OF_ENSEMBLE, TEXT(card, name)},
    {"title", FIELD_TEXT, CARD_OF_ENSEMBLE, CARD_OF_ENSEMBLE, TEXT(card, title), .silent = true},
    {"licence", FIELD_TEXT, CARD_OF_ENSEMBLE, CARD_OF_ENSEMBLE, TEXT(card, licence), .silent = true},
    {"provenance", FIELD_TEXT, CARD_OF_ENSEMBLE, CARD_OF_ENSEMBLE, TEXT(card, provenance), .silent = true},
    {"worth", FIELD_TEXT, CARD_OF_ENSEMBLE, CARD_OF_ENSEMBLE, TEXT(card, worth), .silent = true},
    {"ensemble", FIELD_SECTION, CARD_OF_ENSEMBLE, CARD_OF_ENSEMBLE, AT(card, ensemble), .fields = ensemble_fields},
    {"calibration", FIELD_SECTION, CARD_OF_ENSEMBLE, 0, AT(card, calibration), .fields = calibration_fields},
    {0}};

/* clang-format on */

bool ensemble_combine(const struct card *card, const double *p_fake, double *ret_p)
{
    const struct card_ensemble *x = &card->ensemble;
    double values[CARD_MAX_MEMBERS], weights[CARD_MAX_MEMBERS], p;
    size_t n = 0;

    for (unsigned i = 0; i < x->n_members; i++) {
        if (isnan(p_fake[i]))
            continue;
        values[n] = p_fake[i];
        weights[n++] = x->members[i].weight;
    }
    if (n == 0 || (n < x->n_members && x->needs == ENSEMBLE_NEEDS_ALL))
        return false;
    if (x->combine == AGGREGATE_MEAN || x->combine == AGGREGATE_MEAN_LOGIT)
        p = aggregate_weighted(x->combine, values, weights, n);
    else
        p = aggregate(x->combine, x->top_k, values, n);
    /* A weighted mean of ones may round past one. */
    *ret_p = calibrate(card->calibration.temperature, card->calibration.bias, fmin(fmax(p, 0), 1));
    return true;
}
