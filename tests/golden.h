/* Runs golden cases: recipes with the outputs of the reference implementation beside them.
 *
 * A folder of cases holds models/, cases/NAME/{recipe.mecha, case.json, expected.safetensors} and,
 * perhaps, decided.json, which names the cases where the difference is meant. A case passes where
 * `mecha run` makes the same model within the case's tolerance, or fails as it should: with exit
 * status 1, a message, and nothing left behind. */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include "base/text.h"

typedef enum Verdict { CASE_PASSED, CASE_FAILED, CASE_SKIPPED } Verdict;

/* Case NAME of ROOT. WORDS gets a line for everything that is wrong; with VERBOSE also the command
 * and what it said. */
Verdict golden_run_case(const char *root, const char *name, bool verbose, Builder *words);

typedef struct GoldenResult {
    const char *name;
    Verdict verdict;
    char *words;
} GoldenResult;

typedef struct GoldenResults {
    GoldenResult *items; /* in order of their names */
    size_t count;
} GoldenResults;

/* All cases of ROOT, two at once. */
GoldenResults golden_run_all(const char *root);
void golden_free(GoldenResults *results);

/* How the cases went. */
typedef struct GoldenCount {
    size_t passed, failed;
    size_t different; /* fail, and are listed for a reason */
    size_t skipped;
} GoldenCount;

/* LIST is the path of a file that names the cases whose results differ by decision, a line each:
 * the name, a colon, the reason; none where NULL. WORDS gets what went wrong with others. */
GoldenCount golden_count(const GoldenResults *results, const char *list, Builder *words);

/* The list for the shared folder. */
#define GOLDEN_LIST "tests/golden/different.txt"

/* The folder of all cases, if there is one: MECHA_SHARED (else ../shared) and golden; or NULL.
 * malloc'ed. */
char *golden_shared_folder(void);

/* How two elements, or the tensors and files that hold them, may differ. */
typedef struct Tolerance {
    double relative, absolute;
    double scaled;        /* times the largest finite magnitude of the reference tensor */
    double near_fraction; /* of all elements of a file may be off by one unit in the last place, in
                             formats of 16 bits and less */
} Tolerance;

/* Compares the `.safetensors` file MADE with EXPECTED; adds what is wrong to WORDS. */
bool golden_compare(const char *expected, const char *made, Tolerance tolerance, Builder *words);

#endif
