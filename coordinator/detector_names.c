#include "coordinator/detector_names.h"

#include <string.h>

void detector_names_split(const char *text, struct detector_names *ret_names)
{
    *ret_names = (struct detector_names){0};
    while (text && *text != '\0' && ret_names->n < RESULT_MAX_MEMBERS) {
        size_t len = strcspn(text, ",");
        size_t kept = len < DETECTOR_NAME_BYTES ? len : DETECTOR_NAME_BYTES - 1;

        memcpy(ret_names->list[ret_names->n++], text, kept);
        text += len + (text[len] == ',');
    }
}
