/* Random programs, interpreted value by value; the passes made from them, interpreted one by one;
 * and the same passes evaluated into a file: all must agree. */
#include "tests.h"

#include "exec/evaluate.h"
#include "opt/rewrite.h"
#include "program/verify.h"
#include "program_eval.h"
#include "program_random.h"
#include "run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROOTS = 3 };

static void check_output(uint64_t seed, uint32_t root, const double *found, const double *wanted,
                         uint64_t count) {
    for (uint64_t i = 0; i < count; i++)
        if (!(fabs(found[i] - wanted[i]) <= 1e-9 * (1 + fabs(wanted[i]))))
            ck_abort_msg("program %llu, output %u, element %llu: %.17g instead of %.17g",
                         (unsigned long long)seed, root, (unsigned long long)i, found[i],
                         wanted[i]);
}

static void check_verified(const Generator *generator, const PassList *passes, uint64_t seed,
                           const Shape *key) {
    uint64_t counts[LEAVES];
    Builder fault = {0};
    for (uint32_t i = 0; i < LEAVES; i++)
        counts[i] = generator->keyed ? shape_count(key) : shape_count(&random_leaf_shapes[i]);
    if (!verify_passes(passes, key, counts, &fault))
        ck_abort_msg("program %llu: %.*s", (unsigned long long)seed,
                     TEXT_ARG(builder_view(&fault)));
    builder_free(&fault);
}

static void check_passes(Generator *generator, uint64_t seed, const RootSpec *roots, uint32_t n,
                         const PassList *passes, const Shape *key) {
    EvalInput input = {.leaves = (const double *const *)generator->leaves, .key = *key};
    check_verified(generator, passes, seed, key);
    double **outputs = eval_passes(passes, &input);
    double **values = eval_program(generator->program, &input);
    for (uint32_t i = 0; i < n; i++) {
        const Value *value = program_value(generator->program, roots[i].value);
        const Shape *shape = program_peek(generator->program, value->shape);
        check_output(seed, i, outputs[i], values[roots[i].value],
                     shape_count(shape != NULL ? shape : key));
    }
    eval_free(outputs, n);
    eval_free(values, program_count(generator->program));
}

/* Whether the passes serve any shape. */
static bool check_random(uint64_t seed, bool keyed) {
    Generator generator;
    RootSpec roots[3];
    generator_init(&generator, seed, keyed, true);
    generate(&generator, 5 + (uint32_t)(seed % 30));
    uint32_t n = 1 + (uint32_t)(seed % 3), last = (uint32_t)generator.values.count;
    for (uint32_t i = 0; i < n; i++)
        roots[i] = (RootSpec){generator.values.items[last - 1 - i], DTYPE_F64};
    OptimiseOptions options = {
        .compute = COMPUTE_F64, .hold_bytes = seed % 2 ? 1 << 20 : 0, .key_elements = 100};
    PassList *passes = optimise(&generator.arena, generator.program, roots, n, &options);
    check_passes(&generator, seed, roots, n, passes, &random_key);
    bool any = passes->any_shape;
    if (any)
        check_passes(&generator, seed, roots, n, passes, &(Shape){3, {2, 4, 7}});
    generator_free(&generator);
    return any;
}

START_TEST(random_programs_agree) {
    for (uint64_t seed = (uint64_t)_i * 500; seed < (uint64_t)(_i + 1) * 500; seed++)
        check_random(seed, false);
}
END_TEST

START_TEST(random_programs_of_any_shape_agree) {
    unsigned any = 0;
    for (uint64_t seed = 0; seed < 1000; seed++)
        any += check_random(seed, true);
    /* But for those that sum up what turned out to be the same everywhere. */
    ck_assert_uint_gt(any, 950);
}
END_TEST

/* --- Evaluated --- */

/* A random program bound to tensors, with its outputs in one file. */
typedef struct Bound {
    Generator generator;
    RootSpec roots[ROOTS];
    PassList *passes;
    Tensor leaves[LEAVES];
    const Tensor *slots[LEAVES];
    OutputTensor tensors[ROOTS];
    TaskOutput outputs[ROOTS];
} Bound;

static void bind_leaves(Bound *bound, bool keyed) {
    for (uint32_t i = 0; i < LEAVES; i++) {
        Tensor *leaf = &bound->leaves[i];
        *leaf = (Tensor){.name = TEXT("leaf"),
                         .dtype = random_leaf_dtypes[i],
                         .shape = keyed ? random_key : random_leaf_shapes[i],
                         .data = bound->generator.stored[i]};
        leaf->count = shape_count(&leaf->shape);
        dtype_bytes(leaf->dtype, leaf->count, &leaf->bytes);
        bound->slots[i] = leaf;
    }
}

static void bound_init(Bound *bound, uint64_t seed, bool keyed) {
    static const char *const names[ROOTS] = {"a", "b", "c"};
    *bound = (Bound){0};
    generator_init(&bound->generator, seed, keyed, false);
    generate(&bound->generator, 5 + (uint32_t)(seed % 40));
    const Program *program = bound->generator.program;
    uint32_t last = (uint32_t)bound->generator.values.count;
    for (uint32_t i = 0; i < ROOTS; i++) {
        bound->roots[i] = (RootSpec){bound->generator.values.items[last - 1 - i], DTYPE_F64};
        const Shape *shape =
            program_peek(program, program_value(program, bound->roots[i].value)->shape);
        bound->tensors[i] = (OutputTensor){.name = text_from(names[i]),
                                           .dtype = DTYPE_F64,
                                           .shape = shape != NULL ? *shape : random_key};
        bound->outputs[i] = (TaskOutput){0, i};
    }
    OptimiseOptions options = {COMPUTE_F64, seed % 2 ? 1 << 20 : 0, 100};
    bound->passes = optimise(&bound->generator.arena, program, bound->roots, ROOTS, &options);
    bind_leaves(bound, keyed);
}

static char *evaluate_bound(Bound *bound, const char *path, unsigned threads) {
    Diags *diags = diags_new();
    OutputFilesOptions writing = {.file = {.no_sync = true}};
    Output output = {.tensors = bound->tensors, .n_tensors = ROOTS};
    output.files = output_open(text_from(path), bound->tensors, ROOTS, &writing, diags, SPAN_NONE);
    Task task = {.passes = bound->passes,
                 .shape = &random_key,
                 .leaves = bound->slots,
                 .outputs = bound->outputs};
    Plan plan = {&task, 1, &output, 1};
    EvaluateOptions options = {.kernels = kernels_best(), .threads = threads, .memory = 1 << 30};
    ck_assert_ptr_nonnull(output.files);
    EvaluateResult result = evaluate(&plan, &options);
    ck_assert_int_eq(result.status, EVALUATE_DONE);
    free(result.hits);
    ck_assert(output_finish(output.files, diags, SPAN_NONE));
    diags_free(diags);
    return read_file(path, NULL);
}

static void check_evaluated(uint64_t seed, bool keyed, const char *path) {
    Bound bound;
    bound_init(&bound, seed, keyed);
    char *file = evaluate_bound(&bound, path, 1 + seed % 3);
    EvalInput input = {(const double *const *)bound.generator.leaves, random_key};
    double **values = eval_program(bound.generator.program, &input);
    for (uint32_t i = 0; i < ROOTS; i++) {
        double found[LEAF_ELEMENTS];
        uint64_t count = shape_count(&bound.tensors[i].shape);
        ck_assert_uint_le(count, LEAF_ELEMENTS);
        memcpy(found, file + bound.tensors[i].offset, count * sizeof *found);
        check_output(seed, i, found, values[bound.roots[i].value], count);
    }
    eval_free(values, program_count(bound.generator.program));
    free(file);
    generator_free(&bound.generator);
}

START_TEST(random_programs_agree_when_evaluated) {
    char *folder = scratch_open(), *path = path_in(folder, "out.safetensors");
    for (uint64_t seed = 0; seed < 300; seed++)
        check_evaluated(seed, seed % 4 == 0, path);
    free(path);
    scratch_close(folder);
}
END_TEST

Suite *random_programs_suite(void) {
    Suite *suite = suite_create("random_programs");
    TCase *tests = tcase_create("random_programs");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, random_programs_agree, 0, 4);
    tcase_add_test(tests, random_programs_of_any_shape_agree);
    tcase_add_test(tests, random_programs_agree_when_evaluated);
    suite_add_tcase(suite, tests);
    return suite;
}
