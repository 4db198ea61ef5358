#include "golden.h"

#include "base/vector.h"
#include "run.h"

#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* --- Reading models, apart from the program's own reader. */

typedef struct Storage {
    const char *name;
    unsigned bytes;
    unsigned exponent, mantissa; /* bits; 0: no float */
    bool no_infinity;            /* F8_E4M3: only the last pattern is no number */
} Storage;

static const Storage storages[] = {
    {"F64", 8, 11, 52, false}, {"F32", 4, 8, 23, false},   {"F16", 2, 5, 10, false},
    {"BF16", 2, 8, 7, false},  {"F8_E4M3", 1, 4, 3, true}, {"F8_E5M2", 1, 5, 2, false},
    {"I64", 8, 0, 0, false},   {"I32", 4, 0, 0, false},    {"I16", 2, 0, 0, false},
    {"I8", 1, 0, 0, false},    {"U64", 8, 0, 0, false},    {"U32", 4, 0, 0, false},
    {"U16", 2, 0, 0, false},   {"U8", 1, 0, 0, false},     {"BOOL", 1, 0, 0, false},
};

enum { RANK_LIMIT = 16 };

typedef struct Numbers {
    const char *name;
    const Storage *storage;
    size_t rank;
    uint64_t dims[RANK_LIMIT];
    size_t count;
    const unsigned char *data;
} Numbers;

typedef struct Checkpoint {
    json_t *header;
    char *bytes;
    VECTOR(Numbers) tensors;
} Checkpoint;

static const Storage *storage_named(const char *name) {
    for (size_t i = 0; i < sizeof storages / sizeof *storages; i++)
        if (name && strcmp(storages[i].name, name) == 0)
            return &storages[i];
    return NULL;
}

/* False where the entry does not describe bytes of BODY. */
static bool read_entry(Numbers *tensor, const json_t *entry, const char *body, size_t size) {
    const json_t *shape = json_object_get(entry, "shape");
    const json_t *offsets = json_object_get(entry, "data_offsets");
    tensor->storage = storage_named(json_string_value(json_object_get(entry, "dtype")));
    tensor->rank = json_array_size(shape);
    tensor->count = 1;
    if (!tensor->storage || tensor->rank > RANK_LIMIT)
        return false;
    for (size_t d = 0; d < tensor->rank; d++) {
        tensor->dims[d] = (uint64_t)json_integer_value(json_array_get(shape, d));
        tensor->count *= tensor->dims[d];
    }
    uint64_t begin = (uint64_t)json_integer_value(json_array_get(offsets, 0));
    uint64_t end = (uint64_t)json_integer_value(json_array_get(offsets, 1));
    tensor->data = (const unsigned char *)body + begin;
    return begin <= end && end <= size && end - begin == tensor->count * tensor->storage->bytes;
}

static bool read_tensors(Checkpoint *model, const char *body, size_t size) {
    const char *name;
    json_t *entry;
    json_object_foreach(model->header, name, entry) {
        Numbers tensor = {.name = name};
        if (strcmp(name, "__metadata__") == 0)
            continue;
        if (!read_entry(&tensor, entry, body, size))
            return false;
        vector_push(&model->tensors, tensor);
    }
    return true;
}

static bool read_checkpoint(const char *path, Checkpoint *model) {
    size_t size;
    uint64_t header;
    model->bytes = read_file(path, &size);
    if (!model->bytes || size < 8)
        return false;
    memcpy(&header, model->bytes, sizeof header);
    if (header > size - 8)
        return false;
    model->header =
        json_loadb(model->bytes + 8, header, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    return model->header && read_tensors(model, model->bytes + 8 + header, size - 8 - header);
}

static void free_checkpoint(Checkpoint *model) {
    json_decref(model->header);
    free(model->bytes);
    vector_free(&model->tensors);
}

static const Numbers *find_numbers(const Checkpoint *model, const char *name) {
    for (size_t i = 0; i < model->tensors.count; i++)
        if (strcmp(model->tensors.items[i].name, name) == 0)
            return &model->tensors.items[i];
    return NULL;
}

/* --- Elements. */

static uint64_t bits_at(const Numbers *tensor, size_t i) {
    uint64_t bits = 0;
    memcpy(&bits, tensor->data + i * tensor->storage->bytes, tensor->storage->bytes);
    return bits;
}

/* What a pattern of any float format stands for, straight from the definition. */
static double float_value(const Storage *storage, uint64_t bits) {
    uint64_t top = ((uint64_t)1 << storage->exponent) - 1;
    uint64_t mantissa = bits & (((uint64_t)1 << storage->mantissa) - 1);
    uint64_t exponent = bits >> storage->mantissa & top;
    bool negative = bits >> (8 * storage->bytes - 1) & 1;
    int bias = (int)(top >> 1), fraction = (int)storage->mantissa;
    bool last = mantissa == ((uint64_t)1 << storage->mantissa) - 1;
    double value;
    if (exponent == top && (storage->no_infinity ? last : mantissa != 0))
        return NAN;
    if (exponent == top && !storage->no_infinity)
        value = INFINITY;
    else if (exponent == 0)
        value = ldexp((double)mantissa, 1 - bias - fraction);
    else
        value = ldexp((double)(mantissa | (uint64_t)1 << storage->mantissa),
                      (int)exponent - bias - fraction);
    return negative ? -value : value;
}

static double *float_values(const Numbers *tensor) {
    double *values = memory_grow(NULL, memory_size(tensor->count + 1, sizeof *values));
    for (size_t i = 0; i < tensor->count; i++)
        values[i] = float_value(tensor->storage, bits_at(tensor, i));
    return values;
}

/* Patterns as integers such that neighbours differ by one. */
static int64_t ordinal(const Storage *storage, uint64_t bits) {
    uint64_t sign = (uint64_t)1 << (8 * storage->bytes - 1);
    return bits & sign ? -(int64_t)(bits & (sign - 1)) : (int64_t)bits;
}

static bool is_neighbour(const Numbers *a, const Numbers *b, size_t i) {
    if (a->storage->bytes > 2)
        return false;
    int64_t distance = ordinal(a->storage, bits_at(a, i)) - ordinal(b->storage, bits_at(b, i));
    return distance >= -1 && distance <= 1;
}

/* --- Tensors. */

typedef struct Tally {
    size_t wrong, near, total;
    double largest; /* difference, as a share of the largest value */
} Tally;

static double largest_finite(const double *values, size_t count) {
    double largest = 0;
    for (size_t i = 0; i < count; i++)
        if (isfinite(values[i]) && fabs(values[i]) > largest)
            largest = fabs(values[i]);
    return largest;
}

static bool is_close(double expected, double made, double scale, const Tolerance *tolerance) {
    if (!isfinite(expected) || !isfinite(made))
        return (isnan(expected) && isnan(made)) || expected == made;
    return fabs(expected - made) <=
           tolerance->absolute + tolerance->relative * fabs(expected) + tolerance->scaled * scale;
}

/* STORED_… where the values are those of tensors, whose neighbours count as near; else NULL. */
static Tally compare_values(const double *expected, const double *made, size_t count,
                            const Tolerance *tolerance, const Numbers *stored_expected,
                            const Numbers *stored_made) {
    Tally tally = {.total = count};
    double scale = largest_finite(expected, count);
    for (size_t i = 0; i < count; i++) {
        double difference = fabs(expected[i] - made[i]) / (scale > 0 ? scale : 1);
        if (difference > tally.largest)
            tally.largest = difference;
        if (is_close(expected[i], made[i], scale, tolerance))
            continue;
        bool number = !isnan(expected[i]) && !isnan(made[i]);
        if (stored_made && number && is_neighbour(stored_expected, stored_made, i))
            tally.near++;
        else
            tally.wrong++;
    }
    return tally;
}

static Tally compare_exactly(const Numbers *expected, const Numbers *made) {
    Tally tally = {.total = expected->count};
    for (size_t i = 0; i < expected->count; i++)
        tally.wrong += bits_at(expected, i) != bits_at(made, i);
    return tally;
}

static Tally compare_tensors(const Numbers *expected, const Numbers *made,
                             const Tolerance *tolerance) {
    if (!expected->storage->exponent)
        return compare_exactly(expected, made);
    double *wanted = float_values(expected), *got = float_values(made);
    Tally tally = compare_values(wanted, got, expected->count, tolerance, expected, made);
    free(wanted);
    free(got);
    return tally;
}

/* Factors of which only the product is determined. A Kronecker product holds every product of two
 * elements; in what order does not matter here, as both sides have the same. */
static double *multiply(const Numbers *first, const Numbers *second, bool kron, size_t *count) {
    double *a = float_values(first), *b = float_values(second);
    size_t rows = kron ? first->count : first->dims[0];
    size_t inner = kron ? 1 : second->dims[0];
    size_t columns = second->count / inner;
    double *product = memory_grow(NULL, memory_size(rows * columns + 1, sizeof *product));
    for (size_t row = 0; row < rows; row++)
        for (size_t column = 0; column < columns; column++) {
            double sum = 0;
            for (size_t k = 0; k < inner; k++)
                sum += a[row * inner + k] * b[k * columns + column];
            product[row * columns + column] = sum;
        }
    *count = rows * columns;
    free(a);
    free(b);
    return product;
}

static Tally compare_products(const Numbers *const expected[2], const Numbers *const made[2],
                              bool kron, const Tolerance *tolerance) {
    size_t count;
    double *wanted = multiply(expected[0], expected[1], kron, &count);
    double *got = multiply(made[0], made[1], kron, &count);
    Tally tally = compare_values(wanted, got, count, tolerance, NULL, NULL);
    free(wanted);
    free(got);
    return tally;
}

static bool same_shape(const Numbers *expected, const Numbers *made) {
    bool scalar = expected->rank == 1 && expected->dims[0] == 1 && made->rank == 0;
    return scalar || (expected->rank == made->rank &&
                      memcmp(expected->dims, made->dims, sizeof expected->dims) == 0);
}

/* --- Files. */

typedef struct Comparison {
    Checkpoint expected, made;
    Tolerance tolerance;
    const json_t *by_key;           /* tolerances of single keys; may be NULL */
    const json_t *products, *krons; /* pairs of keys; may be NULL */
    Tally tally;
    bool good;
    Builder *words;
} Comparison;

static void complain(Comparison *comparison, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void complain(Comparison *comparison, const char *key, const char *format, ...) {
    comparison->good = false;
    builder_format(comparison->words, "    %s: ", key);
    va_list arguments;
    va_start(arguments, format);
    builder_vformat(comparison->words, format, arguments);
    va_end(arguments);
    builder_char(comparison->words, '\n');
}

static void read_number(const json_t *object, const char *name, double *value) {
    const json_t *number = json_object_get(object, name);
    if (json_is_number(number))
        *value = json_number_value(number);
}

static Tolerance read_tolerance(const json_t *object, Tolerance tolerance) {
    read_number(object, "rtol", &tolerance.relative);
    read_number(object, "atol", &tolerance.absolute);
    read_number(object, "scale_rtol", &tolerance.scaled);
    read_number(object, "ulp_fraction", &tolerance.near_fraction);
    return tolerance;
}

/* The pair of PAIRS that KEY is in, and whether as its first; NULL if it is in none. */
static const json_t *find_pair(const json_t *pairs, const char *key, bool *first) {
    size_t i;
    json_t *pair;
    json_array_foreach(pairs, i, pair) {
        *first = strcmp(json_string_value(json_array_get(pair, 0)), key) == 0;
        if (*first || strcmp(json_string_value(json_array_get(pair, 1)), key) == 0)
            return pair;
    }
    return NULL;
}

static Tally compare_pair(Comparison *comparison, const json_t *pair, bool kron,
                          const Tolerance *tolerance) {
    const Numbers *expected[2], *made[2];
    for (size_t i = 0; i < 2; i++) {
        const char *name = json_string_value(json_array_get(pair, i));
        expected[i] = find_numbers(&comparison->expected, name);
        made[i] = find_numbers(&comparison->made, name);
        /* Said already where that factor is compared by itself. */
        if (!expected[i] || !made[i] || !same_shape(expected[i], made[i]))
            return (Tally){0};
    }
    return compare_products(expected, made, kron, tolerance);
}

static Tally compare_key(Comparison *comparison, const Numbers *expected, const Numbers *made) {
    bool first = false, kron = false;
    const json_t *pair = find_pair(comparison->products, expected->name, &first);
    if (!pair)
        kron = (pair = find_pair(comparison->krons, expected->name, &first)) != NULL;
    Tolerance tolerance =
        read_tolerance(json_object_get(comparison->by_key, expected->name), comparison->tolerance);
    if (!pair)
        return compare_tensors(expected, made, &tolerance);
    return first ? compare_pair(comparison, pair, kron, &tolerance) : (Tally){0};
}

static void check_key(Comparison *comparison, const Numbers *expected) {
    const Numbers *made = find_numbers(&comparison->made, expected->name);
    if (!made) {
        complain(comparison, expected->name, "missing");
        return;
    }
    if (made->storage != expected->storage || !same_shape(expected, made)) {
        complain(comparison, expected->name,
                 "%s with %zu elements in %zu dimensions, expected %s with %zu in %zu",
                 made->storage->name, made->count, made->rank, expected->storage->name,
                 expected->count, expected->rank);
        return;
    }
    Tally tally = compare_key(comparison, expected, made);
    comparison->tally.near += tally.near;
    comparison->tally.total += tally.total;
    if (tally.wrong)
        complain(comparison, expected->name,
                 "%zu of %zu elements differ, by up to %.3g of the largest value", tally.wrong,
                 tally.total, tally.largest);
}

static void check_all(Comparison *comparison) {
    for (size_t i = 0; i < comparison->expected.tensors.count; i++)
        check_key(comparison, &comparison->expected.tensors.items[i]);
    for (size_t i = 0; i < comparison->made.tensors.count; i++) {
        const char *name = comparison->made.tensors.items[i].name;
        if (!find_numbers(&comparison->expected, name))
            complain(comparison, name, "is one too many");
    }
    double share = comparison->tolerance.near_fraction;
    double allowed = floor(share * (double)comparison->tally.total);
    allowed = share <= 0 ? 0 : allowed < 2 ? 2 : allowed;
    if ((double)comparison->tally.near > allowed)
        complain(comparison, "all", "%zu elements off by one unit in the last place, %.0f may be",
                 comparison->tally.near, allowed);
}

static bool compare_files(Comparison *comparison, const char *expected, const char *made) {
    comparison->good = true;
    if (!read_checkpoint(expected, &comparison->expected))
        complain(comparison, expected, "cannot be read");
    if (!read_checkpoint(made, &comparison->made))
        complain(comparison, made, "cannot be read");
    if (comparison->good)
        check_all(comparison);
    free_checkpoint(&comparison->expected);
    free_checkpoint(&comparison->made);
    return comparison->good;
}

bool golden_compare(const char *expected, const char *made, Tolerance tolerance, Builder *words) {
    Comparison comparison = {.tolerance = tolerance, .words = words};
    return compare_files(&comparison, expected, made);
}

/* --- Cases. */

typedef struct Case {
    const char *root, *name;
    json_t *about;
    char *folder;                   /* where the output goes */
    Builder recipe, expected, made; /* paths */
    bool verbose;
    Builder *words;
} Case;

static const char *option(const Case *kase, const char *name) {
    return json_string_value(json_object_get(json_object_get(kase->about, "options"), name));
}

static bool option_is(const Case *kase, const char *name, bool value) {
    const json_t *found = json_object_get(json_object_get(kase->about, "options"), name);
    return json_is_boolean(found) && json_boolean_value(found) == value;
}

/* The names that the reference uses, and ours. */
static const char *dtype_option(const char *name) {
    static const char *const names[][2] = {
        {"float64", "f64"}, {"float32", "f32"}, {"float16", "f16"}, {"bfloat16", "bf16"},
        {"int64", "i64"},   {"int32", "i32"},   {"int16", "i16"},   {"int8", "i8"},
    };
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i][0], name) == 0)
            return names[i][1];
    return name ? name : "auto";
}

typedef VECTOR(const char *) CommandLine;

static void add_options(const Case *kase, CommandLine *command) {
    const char *space = option(kase, "strict_merge_space");
    const char *compute = option(kase, "merge_dtype");
    vector_push(command, "--dtype");
    vector_push(command, dtype_option(option(kase, "output_dtype")));
    vector_push(command, "--space");
    vector_push(command, space ? space : "any");
    if (compute) {
        vector_push(command, "--compute");
        vector_push(command, dtype_option(compute));
    }
    if (option_is(kase, "omit_non_finite_inputs", false))
        vector_push(command, "--keep-non-finite");
    if (option_is(kase, "strict_mandatory_keys", true))
        vector_push(command, "--strict");
}

static Run run_recipe(const Case *kase) {
    CommandLine command = {0};
    Builder fallback = {0};
    const char *fixed[] = {mecha_binary(),  "run",          kase->recipe.data, "-o",
                           kase->made.data, "--models-dir", "models"};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        vector_push(&command, fixed[i]);
    add_options(kase, &command);
    if (option(kase, "fallback_model")) {
        builder_format(&fallback, "models/%s.safetensors", option(kase, "fallback_model"));
        vector_push(&command, "--fallback");
        vector_push(&command, fallback.data);
    }
    for (size_t i = 0; kase->verbose && i < command.count; i++)
        builder_format(kase->words, "%s%s", i ? " " : "    ", command.items[i]);
    if (kase->verbose)
        builder_char(kase->words, '\n');
    vector_push(&command, NULL);
    Run run = run_command(&(RunOptions){.folder = kase->root}, command.items);
    vector_free(&command);
    builder_free(&fallback);
    return run;
}

static bool check_output(const Case *kase) {
    const json_t *tolerance = json_object_get(kase->about, "tolerance");
    Comparison comparison = {
        .tolerance = read_tolerance(tolerance, (Tolerance){0}),
        .by_key = json_object_get(tolerance, "keys"),
        .products = json_object_get(tolerance, "products"),
        .krons = json_object_get(tolerance, "krons"),
        .words = kase->words,
    };
    return compare_files(&comparison, kase->expected.data, kase->made.data);
}

/* The recipe that the output carries makes the same bytes again, with another number of threads
 * and by the plain kernels. */
static bool check_again(const Case *kase) {
    Builder again = {0};
    builder_format(&again, "%s.again.safetensors", kase->made.data);
    const char *const plain[] = {"MECHA_KERNELS", "base", NULL};
    Run run = run_mecha((&(RunOptions){.folder = kase->root, .environment = plain}), "run",
                        kase->made.data, "-o", again.data, "--models-dir", "models", "-j", "3");
    size_t size = 0, again_size = 1;
    char *bytes = read_file(kase->made.data, &size), *others = read_file(again.data, &again_size);
    bool same = bytes && others && size == again_size && memcmp(bytes, others, size) == 0;
    if (!same)
        builder_format(kase->words, "    its own recipe makes something else: %.600s\n", run.error);
    free(bytes);
    free(others);
    run_free(&run);
    builder_free(&again);
    return same;
}

/* A failure must be a clean one. */
static bool check_failure(const Case *kase, const Run *run) {
    if (run->status == 1 && run->error_size > 0 && count_entries(kase->folder) == 0)
        return true;
    builder_format(kase->words, "    status %d, %zu bytes on standard error, %zu files left\n",
                   run->status, run->error_size, count_entries(kase->folder));
    return false;
}

static bool judge(const Case *kase, const Run *run, bool either) {
    const char *expect = json_string_value(json_object_get(kase->about, "expect"));
    bool wants_error = expect && strcmp(expect, "error") == 0;
    if (run->status == 0 && either)
        return true;
    if (run->status != 0 && (either || wants_error))
        return check_failure(kase, run);
    if (run->status == 0 && wants_error)
        builder_add(kase->words, TEXT("    succeeded, and should not\n"));
    else if (run->status == 0)
        return check_output(kase) && check_again(kase);
    else
        builder_format(kase->words, "    status %d: %.600s\n", run->status, run->error);
    return false;
}

static char *read_outcome(const char *root, const char *name) {
    char *path = path_in(root, "decided.json");
    json_t *decided = json_load_file(path, 0, NULL);
    const char *outcome =
        json_string_value(json_object_get(json_object_get(decided, name), "outcome"));
    char *copy = strdup(outcome ? outcome : "");
    json_decref(decided);
    free(path);
    return copy;
}

static Verdict run_in_folder(Case *kase, bool either) {
    builder_format(&kase->recipe, "cases/%s/recipe.mecha", kase->name);
    builder_format(&kase->expected, "%s/cases/%s/expected.safetensors", kase->root, kase->name);
    builder_format(&kase->made, "%s/out.safetensors", kase->folder);
    Run run = run_recipe(kase);
    bool good = judge(kase, &run, either);
    if (kase->verbose)
        builder_format(kase->words, "    status %d after %.3f s\n%s", run.status, run.seconds,
                       run.error);
    run_free(&run);
    builder_free(&kase->recipe);
    builder_free(&kase->expected);
    builder_free(&kase->made);
    return good ? CASE_PASSED : CASE_FAILED;
}

Verdict golden_run_case(const char *root, const char *name, bool verbose, Builder *words) {
    char *outcome = read_outcome(root, name);
    Builder path = {0};
    builder_format(&path, "%s/cases/%s/case.json", root, name);
    Case kase = {.root = root, .name = name, .verbose = verbose, .words = words};
    kase.about = json_load_file(path.data, 0, NULL);
    Verdict verdict = CASE_FAILED;
    if (!kase.about) {
        builder_format(words, "    %s: cannot be read\n", path.data);
    } else if (strcmp(outcome, "skip") == 0) {
        verdict = CASE_SKIPPED;
    } else {
        kase.folder = scratch_open();
        verdict = run_in_folder(&kase, strcmp(outcome, "either") == 0);
        scratch_close(kase.folder);
    }
    json_decref(kase.about);
    builder_free(&path);
    free(outcome);
    return verdict;
}

/* --- All cases of a folder. */

static int compare_results(const void *a, const void *b) {
    return strcmp(((const GoldenResult *)a)->name, ((const GoldenResult *)b)->name);
}

static GoldenResults list_cases(const char *root) {
    VECTOR(GoldenResult) found = {0};
    char *path = path_in(root, "cases");
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        if (entry->d_name[0] != '.')
            vector_push(&found, (GoldenResult){.name = strdup(entry->d_name)});
    if (directory)
        closedir(directory);
    free(path);
    if (found.count)
        qsort(found.items, found.count, sizeof *found.items, compare_results);
    return (GoldenResults){found.items, found.count};
}

typedef struct Queue {
    const char *root;
    GoldenResults results;
    atomic_size_t next;
} Queue;

static void *run_queue(void *context) {
    Queue *queue = context;
    for (size_t i; (i = atomic_fetch_add(&queue->next, 1)) < queue->results.count;) {
        GoldenResult *result = &queue->results.items[i];
        Builder words = {0};
        result->verdict = golden_run_case(queue->root, result->name, false, &words);
        builder_char(&words, '\0');
        result->words = words.data;
    }
    return NULL;
}

GoldenResults golden_run_all(const char *root) {
    Queue queue = {.root = root, .results = list_cases(root)};
    mecha_binary();
    pthread_t second;
    bool started = pthread_create(&second, NULL, run_queue, &queue) == 0;
    run_queue(&queue);
    if (started)
        pthread_join(second, NULL);
    return queue.results;
}

void golden_free(GoldenResults *results) {
    for (size_t i = 0; i < results->count; i++) {
        free((char *)results->items[i].name);
        free(results->items[i].words);
    }
    free(results->items);
    *results = (GoldenResults){0};
}

/* Whether a line of LIST is about NAME. */
static bool is_listed(const char *list, const char *name) {
    size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)); at += length)
        if ((at == list || at[-1] == '\n') && at[length] == ':')
            return true;
    return false;
}

static void count_result(GoldenCount *count, const GoldenResult *result, bool different,
                         Builder *words) {
    if (result->verdict == CASE_SKIPPED) {
        count->skipped++;
    } else if (different && result->verdict == CASE_FAILED) {
        count->different++;
    } else if (!different && result->verdict == CASE_PASSED) {
        count->passed++;
    } else {
        count->failed++;
        builder_format(words, "FAILED %s\n%s", result->name,
                       different ? "    passes, though listed as different\n" : result->words);
    }
}

GoldenCount golden_count(const GoldenResults *results, const char *list, Builder *words) {
    GoldenCount count = {0};
    char *listed = list ? read_file(list, NULL) : NULL;
    if (list && !listed) {
        builder_format(words, "%s: cannot be read\n", list);
        count.failed = 1;
        return count;
    }
    for (size_t i = 0; i < results->count; i++) {
        const GoldenResult *result = &results->items[i];
        count_result(&count, result, list && is_listed(listed, result->name), words);
    }
    free(listed);
    return count;
}

char *golden_shared_folder(void) {
    const char *shared = getenv("MECHA_SHARED");
    char *folder = path_in(shared ? shared : "../shared", "golden");
    char *absolute = path_exists(folder, "cases") ? realpath(folder, NULL) : NULL;
    free(folder);
    return absolute;
}
