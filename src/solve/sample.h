/* Inside solve/: some names as an example of many. */
#ifndef SOLVE_SAMPLE_H
#define SOLVE_SAMPLE_H

#include "base/text.h"

/* Up to three names, for a message; the text is to be freed. */
typedef struct Sample {
    Builder text;
    uint32_t count;
} Sample;

static inline void sample_add(Sample *sample, Text name) {
    if (sample->count++ >= 3)
        return;
    builder_add(&sample->text, sample->count > 1 ? TEXT(", ") : TEXT(""));
    builder_printable(&sample->text, name);
}

static inline const char *sample_text(Sample *sample) {
    if (sample->count > 3)
        builder_format(&sample->text, " and %u more", sample->count - 3);
    return sample->text.data;
}

#endif
