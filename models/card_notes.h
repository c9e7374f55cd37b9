/* card_notes: what a card says about itself that changes no score: figures with their sources, where each constant is from,
 * what is not as published, and how weights are brought that nobody may pass on. Read through struct card. */
#ifndef FAKESIFT_MODELS_CARD_NOTES_H
#define FAKESIFT_MODELS_CARD_NOTES_H

enum { NOTES_MAX_FIGURES = 12, NOTES_MAX_SOURCES = 24, NOTES_MAX_DEPARTURES = 8 };

/* "AUC, video, Celeb-DF-v2": ".824", from "arXiv 2012.07657, Table 2". */
struct card_figure {
    char what[160], value[64], source[240];
};

/* A constant of the card (its key, or a list of keys) and where it is from. */
struct card_source {
    char key[96], source[320];
};

/* What is done otherwise than published, in a sentence. */
struct card_departure {
    char text[480];
};

struct card_notes {
    struct card_figure published[NOTES_MAX_FIGURES]; /* in the paper or by its authors */
    struct card_figure measured[NOTES_MAX_FIGURES];  /* by this project */
    struct card_source sources[NOTES_MAX_SOURCES];
    struct card_departure departures[NOTES_MAX_DEPARTURES];
    char weights[320]; /* where a user gets them; "" for a card whose weights are fetched or shipped */
    char export_hint[480];
    unsigned n_published, n_measured, n_sources, n_departures;
};

#endif
