/* audit_parts: what the files of coordinator/audit share. Nobody else includes this. */
#ifndef FAKESIFT_COORDINATOR_AUDIT_AUDIT_PARTS_H
#define FAKESIFT_COORDINATOR_AUDIT_AUDIT_PARTS_H

#include "coordinator/audit/audit.h"
#include "coordinator/audit/hamming.h"
#include "shard/text.h"

enum { AUDIT_GOOD_QUALITY = 50 }; /* of a picture that is compared; PDQ's recommendation */
#define AUDIT_NO_ENTRY UINT32_MAX

/* What journals say of an entry's frames, and of its container beyond the facts. */
struct entry_prints {
    size_t first;        /* of its pictures */
    uint8_t n_pictures;  /* of AUDIT_GOOD_QUALITY */
    uint8_t n_prints;    /* all */
    uint8_t n_black;     /* of them: nearly all black */
    uint8_t n_compared;  /* with the print before */
    uint8_t n_still;     /* of them: nothing moved */
    uint8_t brightest;   /* the largest brightness, 0..255 */
    uint8_t audio_codec; /* index in audio_codecs + 1, 0: none or unknown */
    uint8_t n_segments;  /* of the cut that parts came from; 0: a record of the whole video */
    bool has_record;     /* with prints, or with extras */
    uint16_t sharpest;   /* the largest sharpness */
    uint8_t outcome;     /* of the record that is kept */
    uint64_t parts;      /* the set of those that were taken */
    uint32_t audio_rate_hz;
    uint16_t lead_silence_ms; /* + 1; 0: not known */
    uint8_t quarter_turns;
    int32_t audio_start_ms;
    float base_fps; /* 0: unknown */
};

enum { AUDIO_CODECS_MAX = 64 };

struct prints {
    struct entry_prints *entries; /* of the manifest's order */
    struct hamming_picture *pictures;
    size_t n_pictures, room_pictures;
    char audio_codecs[AUDIO_CODECS_MAX][sizeof(((struct stream_extras *)0)->audio_codec)];
    size_t n_audio_codecs;
};

/* prints.c: the journals' second reading. */
enum status prints_read(const struct audit_input *in, struct prints *ret_p, struct error *e);
void prints_clear(struct prints *p);

/* What the parts of an audit work on. */
struct auditor {
    struct audit *audit;
    const struct audit_input *in;
    const struct audit_settings *settings;
    const struct manifest *m;
    size_t n;
    struct results_reader *reader;
    struct prints prints;
    uint32_t *same;     /* of each entry: the first one whose file is the same; itself when there is none */
    uint32_t *original; /* of each entry: the one that stands for all that depend on one original (report/clusters.c) */
    bool has_originals;
};

/* findings.c. Takes *evidence and *command, which are empty afterwards. */
enum status audit_add(struct auditor *x, enum audit_kind kind, uint32_t a, uint32_t b, struct text *evidence,
                      struct text *command, struct error *e);
/* The path of an entry's file, quoted for a POSIX shell. */
void audit_append_file(struct text *t, const struct auditor *x, uint32_t entry);
void audit_append_quoted(struct text *t, const char *string);
/* A query of the run's database that lists videos whose column has the value. */
void audit_append_query(struct text *t, const struct auditor *x, const char *column, const char *value);
/* The facts that the lane found, or the scan. Valid until the next call. */
const struct video_facts *audit_facts(const struct auditor *x, uint32_t entry);
/* Whether the manifest says that two videos hang together: by their original or their group. */
bool audit_is_related(const struct auditor *x, uint32_t a, uint32_t b);

enum status audit_duplicates(struct auditor *x, struct error *e);
enum status audit_near(struct auditor *x, struct error *e);
enum status audit_splits(struct auditor *x, struct error *e);
enum status audit_orphans(struct auditor *x, struct error *e);
enum status audit_videos(struct auditor *x, struct error *e);
enum status audit_extra_files(struct auditor *x, struct error *e);
enum status audit_shortcuts(struct auditor *x, struct error *e);

#endif
