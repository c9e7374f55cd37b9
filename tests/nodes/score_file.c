/* score_file: one file through a detector in this process, without lanes or sandbox, so that callgrind can count its
 * instructions. The file is scored twice; the second time inside of counted_run(), when everything has been opened once.
 *
 *     score_file DETECTOR FILE
 *
 * Out: one line, the outcome, the number of tracks and the score. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "models/detector.h"
#include "nodes/decoder.h"
#include "nodes/score.h"

enum status counted_run(struct scorer *s, int fd, struct result *ret_result, struct error *e);

__attribute__((noinline)) enum status counted_run(struct scorer *s, int fd, struct result *ret_result, struct error *e)
{
    const struct scorer_part whole = {.index = 0, .count = 1};

    return scorer_run(s, fd, &whole, NULL, ret_result, e);
}

int main(int argc, char **argv)
{
    struct detector *d = NULL;
    struct scorer *scorer = NULL;
    struct result r = {0};
    struct error e = {0};
    enum status s;
    int fd;

    if (argc != 3) {
        fputs("usage: score_file DETECTOR FILE\n", stderr);
        return 1;
    }
    decoder_prepare();
    fd = open(argv[2], O_RDONLY | O_CLOEXEC);
    s = fd < 0 ? error_set(&e, STATUS_IO, "%s: cannot open", argv[2]) : detector_open(argv[1], &d, &e);
    if (s == STATUS_OK)
        s = scorer_open(d, &scorer, &e);
    for (int i = 0; s == STATUS_OK && i < 2; i++) {
        result_clear(&r);
        s = i == 0 ? scorer_run(scorer, fd, &(struct scorer_part){.count = 1}, NULL, &r, &e)
                   : counted_run(scorer, fd, &r, &e);
    }
    if (s == STATUS_OK)
        printf("%s %u tracks %.6f\n", outcome_name(r.outcome), (unsigned)r.n_tracks, r.p_fake);
    else
        fprintf(stderr, "score_file: %s\n", e.text);
    result_clear(&r);
    scorer_close(&scorer);
    detector_close(&d);
    if (fd >= 0)
        close(fd);
    return s == STATUS_OK ? 0 : 2;
}
