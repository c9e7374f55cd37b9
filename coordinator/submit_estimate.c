#include "coordinator/submit.h"
#include "coordinator/results.h"

/* Rough constants, for one core of a server of 2023; docs/CLUSTERS.md tells how to do better than they. Decoding: 2.3 s for
 * 250 frames of 1080p (docs/PERFORMANCE.md). An unprobed file is taken for 720p at 2.5 Mbit/s. */
static const double DECODE_S_PER_PIXEL = 4.4e-9, DECODE_S_PER_BYTE = 3.3e-7, OPEN_S = 0.02, FACE_S = 0.06,
                    NETWORK_S = 0.03, TEXT_S_PER_BYTE = 1e-7;

enum { LEAST_MEASURED = 20 };

double submit_video_s(const struct submit_work *work, const struct video_facts *facts, uint64_t size_bytes)
{
    double network_s = work->network_s > 0 ? work->network_s : NETWORK_S, decode_s;

    if (!work->reads_video)
        return OPEN_S + (double)size_bytes * TEXT_S_PER_BYTE;
    if (facts && facts->fps_den > 0 && facts->duration_us > 0) {
        double n_frames = (double)facts->duration_us / 1e6 * facts->fps_num / facts->fps_den;

        decode_s = n_frames * facts->width_px * facts->height_px * DECODE_S_PER_PIXEL;
    } else {
        decode_s = (double)size_bytes * DECODE_S_PER_BYTE;
    }
    return OPEN_S + decode_s + work->n_frames * ((work->searches_faces ? FACE_S : 0) + network_s);
}

void submit_estimate_add(struct submit_estimate *estimate, const struct submit_work *work, const struct manifest *m,
                         const struct reduction *done, double scale)
{
    for (size_t i = 0; i < manifest_count(m); i++) {
        const struct manifest_entry *entry = manifest_entry(m, i);
        double s = scale * submit_video_s(work, entry->facts, entry->size_bytes);

        estimate->n_videos++;
        estimate->n_probed += entry->facts != NULL;
        if (done && i < done->count && results_outcome(done->results, i) != OUTCOME_UNDECIDED)
            continue;
        estimate->lane_s += s;
        if (s > estimate->longest_s)
            estimate->longest_s = s;
    }
}

double submit_scale(const struct submit_work *work, const struct manifest *of, const struct reduction *measured,
                    size_t *ret_n_measured)
{
    struct results_reader *reader = NULL;
    double took_s = 0, estimated_s = 0;
    size_t n = 0;

    *ret_n_measured = 0;
    if (results_reader_open(measured->results, &reader) != STATUS_OK)
        return 1;
    for (size_t i = 0; i < measured->count && i < manifest_count(of); i++) {
        const struct manifest_entry *entry = manifest_entry(of, i);
        const struct result *r;

        /* One that failed early says nothing of one that does not. */
        if (!outcome_has_score(results_outcome(measured->results, i)))
            continue;
        r = results_get(reader, i);
        if (r->wall_us <= 0)
            continue;
        took_s += (double)r->wall_us / 1e6;
        estimated_s += submit_video_s(work, entry->facts, entry->size_bytes);
        n++;
    }
    results_reader_close(&reader);
    *ret_n_measured = n;
    return n >= LEAST_MEASURED && estimated_s > 0 ? took_s / estimated_s : 1;
}
