/* run_npy FILE.onnx --input x.npy [--input ...] --output y.npy: for tests/golden/check_zoo.py. */
#include <stdio.h>
#include <string.h>

#include "models/run_npy.h"

int main(int argc, char **argv)
{
    const char *inputs[32], *output = NULL;
    size_t n = 0;
    struct error e = {0};

    for (int i = 2; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--output") == 0)
            output = argv[i + 1];
        else if (strcmp(argv[i], "--input") == 0 && n < 32)
            inputs[n++] = argv[i + 1];
    }
    if (argc < 4 || !output) {
        fputs("run_npy FILE.onnx --input x.npy --output y.npy\n", stderr);
        return 1;
    }
    if (network_run_npy(argv[1], inputs, n, output, &e) != STATUS_OK) {
        fprintf(stderr, "%s\n", e.text);
        return 2;
    }
    return 0;
}
