/* What particular programs are fused into. (Random ones: test_random_programs.c) */
#include "tests.h"

#include "opt/fuse.h"
#include "program_eval.h"
#include "program_read.h"

#include <math.h>
#include <stdlib.h>

typedef struct Fused {
    Arena arena;
    ProgramText text;
    PassList *passes;
} Fused;

static Fused fuse_with(const char *source, DType dtype, OptimiseOptions options) {
    Fused fused = {0};
    RootSpec roots[8];
    fused.text = program_read(&fused.arena, source);
    uint32_t n = (uint32_t)fused.text.roots.count;
    ck_assert_uint_le(n, 8);
    for (uint32_t i = 0; i < n; i++)
        roots[i] = (RootSpec){fused.text.roots.items[i], dtype};
    fused.passes = optimise(&fused.arena, fused.text.program, roots, n, &options);
    return fused;
}

static Fused fuse_text(const char *source) {
    return fuse_with(source, DTYPE_F32, (OptimiseOptions){0});
}

static void fused_free(Fused *fused) {
    program_text_free(&fused->text);
    arena_free(&fused->arena);
}

static unsigned count_op(const Pass *pass, TileOp op) {
    unsigned n = 0;
    for (uint32_t i = 0; i < pass->n_code; i++)
        n += pass->code[i].op == op;
    return n;
}

START_TEST(a_chain_of_lerps_is_one_pass_in_two_registers) {
    enum { LENGTH = 100000 };
    Arena arena = {0};
    Shape key = {2, {64, 64}};
    Program *program = program_new(&arena, &key);
    ValueId chain = program_leaf(program, 0, DTYPE_BF16, SHAPE_ID_KEY);
    for (uint32_t i = 1; i <= LENGTH; i++)
        chain = program_map(program, OP_LERP,
                            (ValueId[]){chain, program_leaf(program, i, DTYPE_BF16, SHAPE_ID_KEY),
                                        program_const(program, 1.0 / (i + 1))});
    RootSpec root = {chain, DTYPE_BF16};
    PassList *passes = optimise(&arena, program, &root, 1, &(OptimiseOptions){0});
    ck_assert_uint_eq(passes->n_passes, 1);
    ck_assert(passes->any_shape);
    ck_assert_uint_eq(passes->passes[0].n_registers, 2);
    ck_assert_uint_eq(passes->passes[0].n_code, 2 * LENGTH + 2);
    ck_assert_int_eq(passes->passes[0].order, ORDER_FLAT);
    ck_assert_uint_eq(passes->n_leaves, LENGTH + 1);
    program_free(program);
    arena_free(&arena);
}
END_TEST

START_TEST(sums_nested_either_way_take_few_registers) {
    enum { LENGTH = 500 };
    for (int right = 0; right < 2; right++) {
        Arena arena = {0};
        Shape key = {1, {64}};
        Program *program = program_new(&arena, &key);
        ValueId sum = program_leaf(program, 0, DTYPE_F32, SHAPE_ID_KEY);
        for (uint32_t i = 1; i < LENGTH; i++) {
            ValueId leaf = program_leaf(program, i, DTYPE_F32, SHAPE_ID_KEY);
            sum = program_map(program, OP_ADD, (ValueId[]){right ? leaf : sum, right ? sum : leaf});
        }
        RootSpec root = {sum, DTYPE_F32};
        PassList *passes = optimise(&arena, program, &root, 1, &(OptimiseOptions){0});
        ck_assert_uint_eq(passes->passes[0].n_registers, 2);
        program_free(program);
        arena_free(&arena);
    }
}
END_TEST

START_TEST(what_follows_a_reduction_is_a_second_pass) {
    Fused fused = fuse_text("key [4, 6]\n"
                            "%0 = leaf 0 f32 : key\n"
                            "%1 = leaf 1 f32 : key\n"
                            "%2 = mul %0 %0 : key\n"
                            "%3 = reduce sum %2 : []\n"
                            "%4 = sqrt %3 : []\n"
                            "%5 = reduce dot %0 %1 : []\n"
                            "%6 = div %0 %4 : key\n"
                            "%7 = mul %6 %5 : key\n"
                            "roots %7\n");
    ck_assert_uint_eq(fused.passes->n_passes, 2);
    ck_assert(fused.passes->any_shape);
    const Pass *first = &fused.passes->passes[0], *second = &fused.passes->passes[1];
    ck_assert_uint_eq(count_op(first, TILE_REDUCE), 2);
    ck_assert_uint_eq(count_op(first, TILE_LOAD), 2);
    ck_assert_uint_eq(count_op(first, TILE_MAP), 0);
    ck_assert_uint_eq(second->n_uniforms, 1);
    ck_assert_uint_eq(second->uniforms[0].op, OP_SQRT);
    ck_assert_uint_eq(count_op(second, TILE_LOAD), 1);
    ck_assert_uint_eq(count_op(second, TILE_STORE), 1);
    ck_assert_uint_eq(fused.passes->n_buffers, 0);
    fused_free(&fused);
}
END_TEST

/* The cosine of each row of two tensors scales the row, seen as [4, 6] or as [4, 2, 3]. */
START_TEST(rows_are_reduced_and_used_in_one_pass) {
    Fused fused = fuse_text("%0 = leaf 0 f32 : [4, 2, 3]\n"
                            "%1 = leaf 1 f32 : [4, 2, 3]\n"
                            "%2 = reshape %0 : [4, 6]\n"
                            "%3 = reshape %1 : [4, 6]\n"
                            "%4 = reduce dot axis 1 %2 %3 : [4, 1]\n"
                            "%5 = reduce dot axis 1 %2 %2 : [4, 1]\n"
                            "%6 = sqrt %5 : [4, 1]\n"
                            "%7 = div %4 %6 : [4, 1]\n"
                            "%8 = reshape %7 : [4, 1, 1]\n"
                            "%9 = stretch %8 : [4, 2, 3]\n"
                            "%10 = mul %0 %9 : [4, 2, 3]\n"
                            "roots %10 %7\n");
    ck_assert_uint_eq(fused.passes->n_passes, 1);
    ck_assert_uint_eq(fused.passes->n_buffers, 0);
    const Pass *pass = &fused.passes->passes[0];
    ck_assert_int_eq(pass->order, ORDER_ROWS);
    ck_assert_uint_eq(pass->row_length, 6);
    ck_assert_uint_eq(count_op(pass, TILE_LOAD), 2);
    ck_assert_uint_eq(count_op(pass, TILE_ROW_REDUCE), 2);
    ck_assert_uint_eq(count_op(pass, TILE_EXPAND), 1);
    ck_assert_uint_eq(count_op(pass, TILE_STORE), 2);
    fused_free(&fused);
}
END_TEST

START_TEST(columns_are_reduced_into_a_buffer) {
    Fused fused = fuse_text("%0 = leaf 0 f32 : [4, 6, 5]\n"
                            "%1 = reduce max axis 1 %0 : [4, 1, 5]\n"
                            "%2 = stretch %1 : [4, 6, 5]\n"
                            "%3 = sub %0 %2 : [4, 6, 5]\n"
                            "roots %3\n");
    ck_assert_uint_eq(fused.passes->n_passes, 2);
    ck_assert_uint_eq(fused.passes->n_buffers, 1);
    const Pass *first = &fused.passes->passes[0];
    ck_assert_int_eq(first->order, ORDER_COLUMNS);
    ck_assert_uint_eq(first->outer, 4);
    ck_assert_uint_eq(first->extent, 6);
    ck_assert_uint_eq(first->inner, 5);
    ck_assert_uint_eq(fused.passes->buffers[0].first_pass, 0);
    ck_assert_uint_eq(fused.passes->buffers[0].last_pass, 1);
    fused_free(&fused);
}
END_TEST

START_TEST(what_no_arithmetic_touches_is_copied) {
    Fused fused = fuse_with("key [4, 6]\n%0 = leaf 3 bf16 : key\nroots %0\n", DTYPE_BF16,
                            (OptimiseOptions){0});
    ck_assert_uint_eq(fused.passes->n_passes, 1);
    ck_assert(fused.passes->any_shape);
    ck_assert_int_eq(fused.passes->passes[0].kind, PASS_COPY);
    ck_assert_uint_eq(fused.passes->passes[0].copy_leaf, 3);
    ck_assert(fused.passes->passes[0].copy_bytes == UINT64_MAX);
    fused_free(&fused);
    /* Another dtype is arithmetic. */
    fused = fuse_text("key [4, 6]\n%0 = leaf 3 bf16 : key\nroots %0\n");
    ck_assert_int_eq(fused.passes->passes[0].kind, PASS_TILES);
    fused_free(&fused);
}
END_TEST

START_TEST(slices_and_joints_are_copied_in_place) {
    Fused fused = fuse_text("%0 = leaf 0 f32 : [6, 5]\n"
                            "%1 = slice 2,0 %0 : [3, 5]\n"
                            "%2 = leaf 1 f32 : [10]\n"
                            "%3 = reshape %2 : [2, 5]\n"
                            "%4 = concat axis 0 %1 %3 : [5, 5]\n"
                            "roots %4\n");
    ck_assert_uint_eq(fused.passes->n_passes, 2);
    const Pass *first = &fused.passes->passes[0], *second = &fused.passes->passes[1];
    ck_assert_int_eq(first->kind, PASS_COPY);
    ck_assert_int_eq(second->kind, PASS_COPY);
    ck_assert_uint_eq(first->copy_from, 40);
    ck_assert_uint_eq(first->copy_to, 0);
    ck_assert_uint_eq(first->copy_bytes, 60);
    ck_assert_uint_eq(second->copy_to, 60);
    ck_assert_uint_eq(second->copy_bytes, 40);
    fused_free(&fused);
}
END_TEST

/* f32 cannot hold every i64: runs of bytes are copied, one for each run. */
START_TEST(what_the_compute_type_cannot_hold_is_copied_in_runs) {
    static const char source[] = "%0 = leaf 0 i64 : [3, 2, 4]\n"
                                 "%1 = permute 1,0,2 %0 : [2, 3, 4]\n"
                                 "roots %1\n";
    Fused fused = fuse_with(source, DTYPE_I64, (OptimiseOptions){0});
    ck_assert_uint_eq(fused.passes->n_passes, 6);
    ck_assert_uint_eq(fused.passes->passes[1].copy_from, 64);
    ck_assert_uint_eq(fused.passes->passes[1].copy_to, 32);
    ck_assert_uint_eq(fused.passes->passes[1].copy_bytes, 32);
    fused_free(&fused);
    fused = fuse_text("%0 = leaf 0 f32 : [3, 2, 4]\n"
                      "%1 = permute 1,0,2 %0 : [2, 3, 4]\n"
                      "roots %1\n");
    ck_assert_uint_eq(fused.passes->n_passes, 1);
    ck_assert_int_eq(fused.passes->passes[0].kind, PASS_TILES);
    fused_free(&fused);
}
END_TEST

START_TEST(storing_rounds_by_itself) {
    Fused fused = fuse_with("key [4]\n"
                            "%0 = leaf 0 f32 : key\n"
                            "%1 = sqrt %0 : key\n"
                            "%2 = quantise bf16 %1 : key\n"
                            "roots %2\n",
                            DTYPE_BF16, (OptimiseOptions){0});
    ck_assert_uint_eq(count_op(&fused.passes->passes[0], TILE_QUANTISE), 0);
    fused_free(&fused);
}
END_TEST

/* The mean of many leaves is needed before and after its own maximum. */
static Fused fuse_centred(uint32_t leaves, uint64_t hold_bytes) {
    Builder source = {0};
    builder_format(&source, "key [8, 8]\n%%0 = leaf 0 f32 : key\n");
    for (uint32_t i = 1; i < leaves; i++)
        builder_format(&source, "%%%u = leaf %u f32 : key\n%%%u = add %%%u %%%u : key\n", 2 * i - 1,
                       i, 2 * i, 2 * i - 2, 2 * i - 1);
    uint32_t sum = 2 * leaves - 2;
    builder_format(&source, "%%%u = reduce max %%%u : []\n%%%u = sub %%%u %%%u : key\nroots %%%u\n",
                   sum + 1, sum, sum + 2, sum, sum + 1, sum + 2);
    builder_char(&source, '\0');
    Fused fused = fuse_with(source.data, DTYPE_F32,
                            (OptimiseOptions){.hold_bytes = hold_bytes, .key_elements = 64});
    builder_free(&source);
    return fused;
}

START_TEST(what_is_dear_to_compute_is_held) {
    Fused fused = fuse_centred(20, 64 * 4);
    ck_assert_uint_eq(fused.passes->n_buffers, 1);
    ck_assert_uint_eq(count_op(&fused.passes->passes[1], TILE_LOAD), 1);
    fused_free(&fused);
    fused = fuse_centred(20, 64 * 4 - 1);
    ck_assert_uint_eq(fused.passes->n_buffers, 0);
    ck_assert_uint_eq(count_op(&fused.passes->passes[1], TILE_LOAD), 20);
    fused_free(&fused);
    fused = fuse_centred(2, 1 << 20);
    ck_assert_uint_eq(fused.passes->n_buffers, 0);
    fused_free(&fused);
}
END_TEST

/* Each step needs a reduction of the one before: with buffers the code stays linear. */
START_TEST(chains_of_reductions_stay_linear) {
    enum { LENGTH = 2000 };
    Arena arena = {0};
    Shape key = {1, {64}};
    Program *program = program_new(&arena, &key);
    ValueId chain = program_leaf(program, 0, DTYPE_F32, SHAPE_ID_KEY);
    for (int i = 0; i < LENGTH; i++) {
        ValueId peak = program_reduce(program, REDUCE_MAX, chain, VALUE_NONE, -1);
        chain = program_map(program, OP_SUB, (ValueId[]){chain, peak});
        chain = program_map(program, OP_ABS, &chain);
    }
    RootSpec root = {chain, DTYPE_F32};
    OptimiseOptions options = {.hold_bytes = 1 << 30, .key_elements = 64};
    PassList *passes = optimise(&arena, program, &root, 1, &options);
    ck_assert_uint_eq(passes->n_passes, LENGTH + 1);
    uint64_t code = 0;
    for (uint32_t i = 0; i < passes->n_passes; i++)
        code += passes->passes[i].n_code;
    ck_assert_uint_lt(code, 40 * LENGTH);
    program_free(program);
    arena_free(&arena);
}
END_TEST

START_TEST(a_selection_is_repeated_without_the_rest) {
    Fused fused = fuse_text("key [8]\n"
                            "%0 = leaf 0 f32 : key\n"
                            "%1 = leaf 1 f32 : key\n"
                            "%2 = abs %0 : key\n"
                            "%3 = kth 4 %2 : []\n"
                            "%4 = reduce max %1 : []\n"
                            "roots %3 %4\n");
    const Pass *pass = &fused.passes->passes[0];
    ck_assert_uint_eq(pass->n_selections, 1);
    ck_assert_uint_eq(pass->n_code, 5);
    ck_assert_uint_eq(pass->n_again, 3);
    fused_free(&fused);
}
END_TEST

START_TEST(whole_primitives_stand_between_passes) {
    Fused fused = fuse_text("%0 = leaf 0 f32 : [4, 6]\n"
                            "%1 = leaf 1 f32 : [6, 3]\n"
                            "%2 = whole matmul %0 %1\n"
                            "%3 = part 0 %2 : [4, 3]\n"
                            "%4 = neg %3 : [4, 3]\n"
                            "roots %4\n");
    ck_assert_uint_eq(fused.passes->n_passes, 4);
    ck_assert_int_eq(fused.passes->passes[2].kind, PASS_WHOLE);
    ck_assert_uint_eq(fused.passes->n_buffers, 3);
    ck_assert_uint_eq(fused.passes->buffers[0].last_pass, 2);
    fused_free(&fused);
}
END_TEST

/* Only the factors are held: neither a scaling nor a base to add to makes a pass more. */
START_TEST(products_of_small_rank_are_made_where_they_are_loaded) {
    Fused fused = fuse_text("%0 = leaf 0 f32 : [6, 2]\n"
                            "%1 = leaf 1 f32 : [2, 8]\n"
                            "%2 = leaf 2 f32 : [6, 8]\n"
                            "%3 = whole matmul %0 %1\n"
                            "%4 = part 0 %3 : [6, 8]\n"
                            "%5 = add %2 %4 : [6, 8]\n"
                            "roots %5\n");
    ck_assert_uint_eq(fused.passes->n_passes, 3);
    ck_assert_uint_eq(fused.passes->n_buffers, 2);
    const Pass *last = &fused.passes->passes[2];
    ck_assert_uint_eq(last->n_products, 1);
    ck_assert_uint_eq(last->products[0].rows, 6);
    ck_assert_uint_eq(last->products[0].columns, 8);
    ck_assert_uint_eq(last->products[0].inner, 2);
    fused_free(&fused);
}
END_TEST

/* Rows of a transposed product are columns of it: what lies apart is held. */
START_TEST(products_that_are_seen_otherwise_are_held) {
    Fused fused = fuse_text("%0 = leaf 0 f32 : [6, 2]\n"
                            "%1 = leaf 1 f32 : [2, 8]\n"
                            "%2 = leaf 2 f32 : [8, 6]\n"
                            "%3 = whole matmul %0 %1\n"
                            "%4 = part 0 %3 : [6, 8]\n"
                            "%5 = permute 1,0 %4 : [8, 6]\n"
                            "%6 = add %2 %5 : [8, 6]\n"
                            "roots %6\n");
    ck_assert_uint_eq(fused.passes->n_passes, 4);
    ck_assert_uint_eq(fused.passes->passes[2].n_products, 1);
    ck_assert_uint_eq(fused.passes->n_buffers, 3);
    fused_free(&fused);
}
END_TEST

/* What only one outcome of a condition needs is left out with the other; what both need is not. */
START_TEST(passes_for_what_is_not_chosen_are_guarded) {
    Fused fused = fuse_text("%0 = leaf 0 f32 : [4, 4]\n"
                            "%1 = leaf 1 f32 : [4, 4]\n"
                            "%2 = reduce max %0 : []\n"
                            "%3 = whole matmul %0 %1\n"
                            "%4 = part 0 %3 : [4, 4]\n"
                            "%5 = add %2 %2 : []\n"
                            "%6 = mul %1 %5 : [4, 4]\n"
                            "%7 = reduce max %6 : []\n"
                            "%8 = add %4 %7 : [4, 4]\n"
                            "%9 = where %2 %8 %0 : [4, 4]\n"
                            "%10 = add %9 %7 : [4, 4]\n"
                            "roots %10\n");
    unsigned n_guarded = 0;
    for (uint32_t i = 0; i < fused.passes->n_passes; i++) {
        const Pass *pass = &fused.passes->passes[i];
        ck_assert_uint_eq(pass->n_guards, pass->kind == PASS_WHOLE);
        n_guarded += pass->n_guards;
        if (pass->n_guards > 0)
            ck_assert(pass->guards[0].when);
    }
    ck_assert_uint_eq(n_guarded, 1);
    fused_free(&fused);
}
END_TEST

START_TEST(views_need_no_buffers) {
    Fused fused = fuse_text("%0 = leaf 0 f32 : [4, 6]\n"
                            "%1 = leaf 1 f32 : [4, 1]\n"
                            "%2 = neg %1 : [4, 1]\n"
                            "%3 = stretch %2 : [4, 6]\n"
                            "%4 = add %0 %3 : [4, 6]\n"
                            "%5 = permute 1,0 %4 : [6, 4]\n"
                            "%6 = slice 1,1 %5 : [3, 2]\n"
                            "roots %6\n");
    ck_assert_uint_eq(fused.passes->n_passes, 1);
    ck_assert_uint_eq(fused.passes->n_buffers, 0);
    fused_free(&fused);
}
END_TEST

/* A row that no register holds is reduced all the same, and rightly. */
START_TEST(long_rows_are_cut) {
    enum { ROWS = 2, EXTENT = 40000 };
    Fused fused = fuse_with("%0 = leaf 0 f64 : [2, 40000]\n"
                            "%1 = reduce sum axis 1 %0 : [2, 1]\n"
                            "%2 = stretch %1 : [2, 40000]\n"
                            "%3 = add %0 %2 : [2, 40000]\n"
                            "%4 = reduce dot axis 1 %3 %0 : [2, 1]\n"
                            "roots %3 %4\n",
                            DTYPE_F64, (OptimiseOptions){.compute = COMPUTE_F64});
    double *leaf = memory_grow(NULL, ROWS * EXTENT * sizeof *leaf);
    for (int i = 0; i < ROWS * EXTENT; i++)
        leaf[i] = (i * 37 % 101 - 50) / 64.0;
    EvalInput input = {.leaves = (const double *const[]){leaf}};
    double **found = eval_passes(fused.passes, &input);
    double **wanted = eval_program(fused.text.program, &input);
    for (int i = 0; i < ROWS * EXTENT; i++)
        ck_assert_double_eq_tol(found[0][i], wanted[fused.text.roots.items[0]][i], 1e-9);
    for (int i = 0; i < ROWS; i++)
        ck_assert_double_eq_tol(found[1][i], wanted[fused.text.roots.items[1]][i], 1e-6);
    eval_free(found, 2);
    eval_free(wanted, program_count(fused.text.program));
    free(leaf);
    fused_free(&fused);
}
END_TEST

START_TEST(tensors_without_elements_make_no_passes) {
    Fused fused = fuse_text("%0 = leaf 0 f32 : [3, 0]\n"
                            "%1 = leaf 1 f32 : [3, 0]\n"
                            "%2 = add %0 %1 : [3, 0]\n"
                            "%3 = reduce sum axis 1 %2 : [3, 1]\n"
                            "%4 = permute 1,0 %2 : [0, 3]\n"
                            "roots %2 %3 %4\n");
    ck_assert_uint_eq(fused.passes->n_passes, 1);
    ck_assert_uint_eq(fused.passes->passes[0].n_code, 1);
    ck_assert_int_eq(fused.passes->passes[0].code[0].op, TILE_STORE);
    fused_free(&fused);
}
END_TEST

Suite *fuse_suite(void) {
    Suite *suite = suite_create("fuse");
    TCase *tests = tcase_create("fuse");
    tcase_add_test(tests, a_chain_of_lerps_is_one_pass_in_two_registers);
    tcase_add_test(tests, sums_nested_either_way_take_few_registers);
    tcase_add_test(tests, what_follows_a_reduction_is_a_second_pass);
    tcase_add_test(tests, rows_are_reduced_and_used_in_one_pass);
    tcase_add_test(tests, columns_are_reduced_into_a_buffer);
    tcase_add_test(tests, what_no_arithmetic_touches_is_copied);
    tcase_add_test(tests, slices_and_joints_are_copied_in_place);
    tcase_add_test(tests, what_the_compute_type_cannot_hold_is_copied_in_runs);
    tcase_add_test(tests, storing_rounds_by_itself);
    tcase_add_test(tests, what_is_dear_to_compute_is_held);
    tcase_add_test(tests, chains_of_reductions_stay_linear);
    tcase_add_test(tests, a_selection_is_repeated_without_the_rest);
    tcase_add_test(tests, whole_primitives_stand_between_passes);
    tcase_add_test(tests, products_of_small_rank_are_made_where_they_are_loaded);
    tcase_add_test(tests, products_that_are_seen_otherwise_are_held);
    tcase_add_test(tests, passes_for_what_is_not_chosen_are_guarded);
    tcase_add_test(tests, views_need_no_buffers);
    tcase_add_test(tests, long_rows_are_cut);
    tcase_add_test(tests, tensors_without_elements_make_no_passes);
    suite_add_tcase(suite, tests);
    return suite;
}
