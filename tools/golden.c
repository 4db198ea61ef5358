/* Runs golden cases through the program and says how they went.
 *
 *     golden                    all cases of ../shared/golden; the last line is `N passed, N
 * failed` golden --case NAME [-v]   one case; -v shows the command and what it said golden --root
 * FOLDER      another folder of cases */
#include "../tests/golden.h"
#include "base/vector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Settings {
    char *root;
    const char *name;
    bool verbose;
} Settings;

_Noreturn static void usage(void) {
    fputs("usage: golden [--root FOLDER] [--case NAME [-v]]\n", stderr);
    exit(2);
}

static Settings parse(int argc, char **argv) {
    Settings settings = {.root = golden_shared_folder()};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-v") == 0)
            settings.verbose = true;
        else if (strcmp(argv[i], "--case") == 0 && i + 1 < argc)
            settings.name = argv[++i];
        else if (strcmp(argv[i], "--root") == 0 && i + 1 < argc)
            free(settings.root), settings.root = realpath(argv[++i], NULL);
        else
            usage();
    }
    return settings;
}

static int run_one(const Settings *settings) {
    static const char *const names[] = {"passed", "FAILED", "skipped"};
    Builder words = {0};
    Verdict verdict = golden_run_case(settings->root, settings->name, settings->verbose, &words);
    printf("%s %s\n%.*s", names[verdict], settings->name, TEXT_ARG(builder_view(&words)));
    builder_free(&words);
    return verdict == CASE_FAILED ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int print_verdicts(const GoldenResults *results) {
    Builder words = {0};
    GoldenCount count = golden_count(results, GOLDEN_LIST, &words);
    printf("%.*s%zu skipped, %zu differ by decision\n%zu passed, %zu failed\n",
           TEXT_ARG(builder_view(&words)), count.skipped, count.different, count.passed,
           count.failed);
    builder_free(&words);
    return count.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    Settings settings = parse(argc, argv);
    if (!settings.root) {
        fputs("golden: no folder of cases; set MECHA_SHARED\n", stderr);
        return EXIT_FAILURE;
    }
    if (settings.name)
        return run_one(&settings);
    GoldenResults results = golden_run_all(settings.root);
    int status = print_verdicts(&results);
    golden_free(&results);
    free(settings.root);
    return status;
}
