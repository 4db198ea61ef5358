/* How far a run is, as one line on a terminal: keys, bytes a second, time left. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "mecha.h"

typedef struct ProgressLine {
    bool shown;
    double drawn;   /* when the line was last drawn, in seconds of the evaluation */
    double seconds; /* of the last report, and */
    uint64_t bytes; /* how much was done then */
    double rate;    /* bytes a second, smoothed */
} ProgressLine;

/* For MechaOptions.progress, with a ProgressLine as the context. */
void progress_report(void *context, const MechaProgress *progress);
void progress_erase(ProgressLine *line);

/* The words of the line, at most WIDTH characters. */
void progress_words(const ProgressLine *line, const MechaProgress *progress, int width,
                    Builder *out);

/* `2.13 GB`: in powers of 1000, as rates are told. */
void builder_decimal(Builder *out, double bytes);

#endif
