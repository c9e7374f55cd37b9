/* The section "notes" of a card. In: JSON. Out: struct card_notes, by the table that fields_read follows. */
#include "models/card_notes.h"

#include "models/card_fields.h"

#define AT(type, member)   .offset = offsetof(struct type, member)
#define TEXT(type, member) AT(type, member), .size = sizeof(((struct type *)0)->member), .silent = true

/* clang-format off */

static const struct field figure_fields[] = {
    {"what", FIELD_TEXT, ~0u, ~0u, TEXT(card_figure, what)},
    {"value", FIELD_TEXT, ~0u, ~0u, TEXT(card_figure, value)},
    {"source", FIELD_TEXT, ~0u, ~0u, TEXT(card_figure, source)},
    {0}};

static const struct field source_fields[] = {
    {"key", FIELD_TEXT, ~0u, ~0u, TEXT(card_source, key)},
    {"source", FIELD_TEXT, ~0u, ~0u, TEXT(card_source, source)},
    {0}};

static const struct field departure_fields[] = {
    {"text", FIELD_TEXT, ~0u, ~0u, TEXT(card_departure, text)},
    {0}};

#define LIST(member, most, inner)                                                                                  \
    FIELD_LIST, ~0u, 0, AT(card_notes, member), .size = sizeof(((struct card_notes *)0)->member[0]), .min = 1,     \
    .max = (most), .count_offset = offsetof(struct card_notes, n_##member), .fields = (inner), .silent = true

const struct field card_notes_fields[] = {
    {"published", LIST(published, NOTES_MAX_FIGURES, figure_fields)},
    {"measured", LIST(measured, NOTES_MAX_FIGURES, figure_fields)},
    {"sources", LIST(sources, NOTES_MAX_SOURCES, source_fields)},
    {"departures", LIST(departures, NOTES_MAX_DEPARTURES, departure_fields)},
    {"weights", FIELD_TEXT, ~0u, 0, TEXT(card_notes, weights)},
    {"export", FIELD_TEXT, ~0u, 0, TEXT(card_notes, export_hint)},
    {0}};
