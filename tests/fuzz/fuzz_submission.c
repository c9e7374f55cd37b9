/* Any bytes as a submission: the first byte says for which board, or that it is to be recognised; 255: as the truth. What is
 * counted must add up, whatever the file is. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/evaluate/submission.h"

static void require(bool what)
{
    if (!what)
        abort();
}

static void put(const char *path, const void *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    require(fd >= 0);
    require(write(fd, data, len) == (ssize_t)len);
    close(fd);
}

static void check(const struct submission *s, const struct truth *t)
{
    size_t n_given = 0, n_missing = 0, n_told = 0;

    for (size_t i = 0; i < truth_count(t); i++) {
        require(s->p_fake[i] >= 0 && s->p_fake[i] <= 1);
        require(s->answer[i] == ANSWER_GIVEN || s->p_fake[i] == 0.5);
        if (manifest_entry(truth_manifest(t), i)->label == LABEL_UNKNOWN)
            continue;
        n_given += s->answer[i] == ANSWER_GIVEN;
        n_missing += s->answer[i] == ANSWER_MISSING;
    }
    require(n_given == s->n_given && (s->is_cut || n_missing == s->n_problems[PROBLEM_MISSING]));
    for (int p = 0; p < PROBLEM_COUNT; p++)
        n_told += s->n_told_of[p];
    require(n_told == s->n_told);
    for (size_t i = 0; i < s->n_told; i++)
        require(s->told[i][0] != '\0' && !strchr(s->told[i], '\n') && !strchr(s->told[i], '\x1b'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len); /* libFuzzer has no header for it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char labels[] = "filename,label\na.mp4,1\nb.mp4,0\nc/d.mp4,1\ne.mp4,\n";
    struct truth *t = NULL;
    struct submission *s = NULL;
    struct error e = {0};
    char truth[64], file[64];

    if (len == 0)
        return 0;
    snprintf(truth, sizeof(truth), "/dev/shm/fakesift-fuzz-%d.truth", (int)getpid());
    snprintf(file, sizeof(file), "/dev/shm/fakesift-fuzz-%d.file", (int)getpid());
    if (data[0] == 255)
        put(truth, data + 1, len - 1);
    else
        put(truth, labels, sizeof(labels) - 1);
    if (truth_open(truth, &t, &e) != STATUS_OK) {
        require(data[0] == 255 && t == NULL && e.text[0] != '\0');
    } else {
        put(file, data + 1, len - 1);
        require(submission_open(file, (enum board)(data[0] % BOARD_COUNT), t, &s, &e) == STATUS_OK);
        check(s, t);
        submission_close(&s);
    }
    truth_close(&t);
    unlink(truth);
    unlink(file);
    return 0;
}
