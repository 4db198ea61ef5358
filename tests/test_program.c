#include "tests.h"

#include "opt/rewrite.h"
#include "program/verify.h"
#include "program_read.h"
#include "run.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static Arena arena;
static Program *program;
static ValueId x, y, u;

static void open_program(void) {
    Shape key = {2, {4, 6}};
    program = program_new(&arena, &key);
    x = program_leaf(program, 0, DTYPE_F32, SHAPE_ID_KEY);
    y = program_leaf(program, 1, DTYPE_BF16, SHAPE_ID_KEY);
    u = program_reduce(program, REDUCE_SUM, y, VALUE_NONE, -1);
}

static void close_program(void) {
    Builder fault = {0};
    if (!verify_program(program, &fault))
        ck_abort_msg("%.*s", TEXT_ARG(builder_view(&fault)));
    program_free(program);
    arena_free(&arena);
}

static ValueId number(double value) {
    return program_const(program, value);
}

static ValueId map1(OpCode op, ValueId a) {
    return program_map(program, op, &a);
}

static ValueId map2(OpCode op, ValueId a, ValueId b) {
    return program_map(program, op, (ValueId[]){a, b});
}

static ValueId map3(OpCode op, ValueId a, ValueId b, ValueId c) {
    return program_map(program, op, (ValueId[]){a, b, c});
}

START_TEST(equal_values_are_one) {
    ck_assert_uint_eq(program_leaf(program, 0, DTYPE_F32, SHAPE_ID_KEY), x);
    ck_assert_uint_ne(program_leaf(program, 0, DTYPE_F16, SHAPE_ID_KEY), x);
    ck_assert_uint_eq(map2(OP_ADD, x, y), map2(OP_ADD, x, y));
    ck_assert_uint_ne(map2(OP_SUB, x, y), map2(OP_SUB, y, x));
    ck_assert_uint_eq(number(NAN), number(NAN));
    ck_assert_uint_ne(number(0.0), number(-0.0));
    ck_assert_uint_ne(program_random(program, SHAPE_ID_KEY, 1, 0),
                      program_random(program, SHAPE_ID_KEY, 1, 1));
    ck_assert_uint_eq(program_reduce(program, REDUCE_DOT, x, y, -1),
                      program_reduce(program, REDUCE_DOT, y, x, -1));
}
END_TEST

START_TEST(constants_fold) {
    double known;
    ValueId sum = map2(OP_ADD, number(2), map2(OP_MUL, number(3), number(4)));
    ck_assert(program_known(program, sum, &known) && known == 14);
    ck_assert_uint_eq(program_quantise(program, number(1.0 / 3), DTYPE_BF16), number(0.333984375));
    ValueId ones = program_stretch(program, number(1), SHAPE_ID_KEY);
    ck_assert_uint_eq(map2(OP_ADD, ones, ones), program_stretch(program, number(2), SHAPE_ID_KEY));
    ck_assert(!program_asked(program));
    ck_assert_uint_eq(program_reduce(program, REDUCE_SUM, ones, VALUE_NONE, -1), number(24));
    ck_assert(program_asked(program));
}
END_TEST

START_TEST(identities_hold_exactly) {
    ck_assert_uint_eq(map2(OP_MUL, x, number(1)), x);
    ck_assert_uint_eq(map2(OP_DIV, x, number(1)), x);
    ck_assert_uint_eq(map2(OP_ADD, number(0), x), x);
    ck_assert_uint_eq(map2(OP_SUB, x, number(0)), x);
    ck_assert_uint_eq(map1(OP_NEG, map1(OP_NEG, x)), x);
    ck_assert_uint_eq(map2(OP_SUB, x, map1(OP_NEG, y)), map2(OP_ADD, x, y));
    ck_assert_uint_eq(map2(OP_MAX, x, x), x);
    ck_assert_uint_eq(map1(OP_ABS, map1(OP_NEG, x)), map1(OP_ABS, x));
    ck_assert_uint_eq(map3(OP_LERP, x, y, number(0)), x);
    ck_assert_uint_eq(map3(OP_LERP, x, y, number(1)), y);
    ck_assert_uint_eq(map3(OP_LERP, x, x, u), x);
    ck_assert_uint_eq(map3(OP_WHERE, number(2), x, y), x);
    ck_assert_uint_eq(map3(OP_WHERE, map1(OP_NOT, x), x, y), map3(OP_WHERE, x, y, x));
    ck_assert_uint_eq(map3(OP_ADDMUL, x, y, number(1)), map2(OP_ADD, x, y));
    ck_assert_uint_eq(program_quantise(program, y, DTYPE_BF16), y);
    /* Not these: an intermediate result may be infinite. */
    ck_assert_uint_ne(map2(OP_MUL, x, number(0)), number(0));
    ck_assert_uint_ne(map2(OP_SUB, x, x), number(0));
}
END_TEST

START_TEST(an_identity_keeps_the_shape) {
    ValueId ones = program_stretch(program, number(1), SHAPE_ID_KEY);
    ValueId scaled = map2(OP_MUL, u, ones);
    ck_assert_uint_eq(program_value(program, scaled)->shape, SHAPE_ID_KEY);
    ck_assert_uint_eq(scaled, program_stretch(program, u, SHAPE_ID_KEY));
}
END_TEST

START_TEST(only_looking_at_dimensions_asks) {
    map2(OP_ADD, x, u);
    map3(OP_LERP, x, y, number(0.5));
    program_reduce(program, REDUCE_DOT, x, y, -1);
    program_kth(program, x, 3);
    program_stretch(program, u, SHAPE_ID_KEY);
    ck_assert(!program_asked(program));
    ck_assert_ptr_null(program_peek(program, SHAPE_ID_KEY));
    Shape row = {1, {6}};
    ValueId z = program_leaf(program, 2, DTYPE_F32, program_shape(program, &row));
    ValueId sum = map2(OP_ADD, x, z);
    ck_assert(program_asked(program));
    ck_assert_uint_eq(program_value(program, sum)->shape, SHAPE_ID_KEY);
}
END_TEST

START_TEST(views_compose) {
    Shape flat = {1, {24}}, part = {2, {2, 3}};
    ShapeId flat_id = program_shape(program, &flat), part_id = program_shape(program, &part);
    ValueId reshaped = program_reshape(program, x, flat_id);
    ck_assert_uint_eq(program_reshape(program, reshaped, SHAPE_ID_KEY), x);
    ValueId turned = program_permute(program, x, (uint8_t[]){1, 0});
    ck_assert_uint_eq(program_permute(program, turned, (uint8_t[]){1, 0}), x);
    ck_assert_uint_eq(program_slice(program, x, (uint64_t[]){0, 0}, SHAPE_ID_KEY), x);
    ck_assert_uint_eq(program_reduce(program, REDUCE_MAX, turned, VALUE_NONE, -1),
                      program_reduce(program, REDUCE_MAX, x, VALUE_NONE, -1));
    ck_assert_uint_eq(program_concat(program, &x, 1, 0, SHAPE_ID_KEY), x);
    Shape middle = {2, {3, 4}};
    ValueId once = program_slice(program, x, (uint64_t[]){1, 1}, program_shape(program, &middle));
    ck_assert_uint_eq(program_slice(program, once, (uint64_t[]){1, 1}, part_id),
                      program_slice(program, x, (uint64_t[]){2, 2}, part_id));
}
END_TEST

START_TEST(nothing_reduces_to_what_starts_a_reduction) {
    Shape none = {2, {3, 0}}, three = {2, {3, 1}};
    ValueId empty = program_leaf(program, 2, DTYPE_F32, program_shape(program, &none));
    ck_assert_uint_eq(program_reduce(program, REDUCE_SUM, empty, VALUE_NONE, -1), number(0));
    ck_assert_uint_eq(program_reduce(program, REDUCE_MAX, empty, VALUE_NONE, -1),
                      number(-INFINITY));
    ck_assert_uint_eq(program_reduce(program, REDUCE_SUM, empty, VALUE_NONE, 1),
                      program_stretch(program, number(0), program_shape(program, &three)));
}
END_TEST

START_TEST(long_chains_build_at_once) {
    enum { LENGTH = 100000 };
    clock_t start = clock();
    ValueId chain = x;
    for (int i = 0; i < LENGTH; i++)
        chain = map3(OP_LERP, chain, y, number(1.0 / (i + 3)));
    ck_assert_uint_gt(program_count(program), LENGTH);
    ck_assert_double_lt((double)(clock() - start) / CLOCKS_PER_SEC, 1);
}
END_TEST

/* --- Rewrites: what is in tests/rewrites --- */

/* The size of the first line where it gives the key's shape. */
static size_t key_size(const char *text) {
    return strncmp(text, "key", 3) == 0 ? strcspn(text, "\n") + 1 : 0;
}

static char *rewritten_text(const char *before) {
    Arena own = {0};
    ProgramText text = program_read(&own, before);
    RootSpec roots[8];
    ValueId ids[8];
    uint32_t n = (uint32_t)text.roots.count;
    ck_assert_uint_le(n, 8);
    for (uint32_t i = 0; i < n; i++)
        roots[i] = (RootSpec){text.roots.items[i], DTYPE_F32};
    Program *current = text.program;
    for (int i = 0; i < REWRITE_COUNT; i++) {
        Program *next = rewrite_apply(&own, current, &rewrites[i], roots, n, COMPUTE_F32);
        program_free(current);
        current = next;
    }
    for (uint32_t i = 0; i < n; i++)
        ids[i] = roots[i].value;
    Builder out = {0};
    builder_add(&out, (Text){before, key_size(before)});
    program_dump(current, ids, n, &out);
    builder_char(&out, '\0');
    text.program = current;
    program_text_free(&text);
    arena_free(&own);
    return out.data;
}

/* The dump of what was read is what was read. */
static void check_round_trip(const char *text) {
    Arena own = {0};
    Builder out = {0};
    ProgramText read = program_read(&own, text);
    program_dump(read.program, read.roots.items, (uint32_t)read.roots.count, &out);
    builder_char(&out, '\0');
    ck_assert_str_eq(out.data, text + key_size(text));
    builder_free(&out);
    program_text_free(&read);
    arena_free(&own);
}

START_TEST(rewrites_give_what_stands_beside) {
    DIR *folder = opendir("tests/rewrites");
    ck_assert_ptr_nonnull(folder);
    unsigned n = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        char *path = path_in("tests/rewrites", entry->d_name);
        char *before_path = path_in(path, "before.txt"), *after_path = path_in(path, "after.txt");
        char *before = read_file(before_path, NULL), *after = read_file(after_path, NULL);
        ck_assert_ptr_nonnull(before);
        char *found = rewritten_text(before);
        if (after == NULL || strcmp(found, after) != 0)
            ck_abort_msg("%s: found\n%s", path, found);
        check_round_trip(after);
        free(path);
        free(before_path);
        free(after_path);
        free(before);
        free(after);
        free(found);
        n++;
    }
    closedir(folder);
    ck_assert_uint_gt(n, 5);
}
END_TEST

Suite *program_suite(void) {
    Suite *suite = suite_create("program");
    TCase *tests = tcase_create("program");
    tcase_add_checked_fixture(tests, open_program, close_program);
    tcase_add_test(tests, equal_values_are_one);
    tcase_add_test(tests, constants_fold);
    tcase_add_test(tests, identities_hold_exactly);
    tcase_add_test(tests, an_identity_keeps_the_shape);
    tcase_add_test(tests, only_looking_at_dimensions_asks);
    tcase_add_test(tests, views_compose);
    tcase_add_test(tests, nothing_reduces_to_what_starts_a_reduction);
    tcase_add_test(tests, long_chains_build_at_once);
    tcase_add_test(tests, rewrites_give_what_stands_beside);
    suite_add_tcase(suite, tests);
    return suite;
}
