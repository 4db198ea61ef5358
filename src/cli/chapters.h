/* The chapters of docs/language.md, embedded by tools/chapters.awk. */
#ifndef CLI_CHAPTERS_H
#define CLI_CHAPTERS_H

typedef struct Chapter {
    const char *name;  /* `operators-and-mass` */
    const char *title; /* `Operators and mass` */
    const char *text;
} Chapter;

extern const Chapter chapters[];
extern const unsigned n_chapters;

#endif
