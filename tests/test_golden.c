/* The reference's outputs, and the comparison that judges ours. */
#include "golden.h"
#include "run.h"
#include "tests.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct OneTensor {
    const char *dtype, *shape;
    const void *data;
    size_t size;
} OneTensor;

static void write_one(const char *folder, const char *name, OneTensor tensor) {
    Builder file = {0};
    builder_format(&file,
                   "########{\"k\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[0,%zu]}}",
                   tensor.dtype, tensor.shape, tensor.size);
    uint64_t header = file.size - 8;
    memcpy(file.data, &header, sizeof header);
    builder_add(&file, (Text){tensor.data, tensor.size});
    write_file(folder, name, file.data, file.size);
    builder_free(&file);
}

/* Whether the second tensor passes for the first. */
static bool agree(OneTensor expected, OneTensor made, Tolerance tolerance) {
    char *folder = scratch_open();
    write_one(folder, "a", expected);
    write_one(folder, "b", made);
    char *a = path_in(folder, "a"), *b = path_in(folder, "b");
    Builder words = {0};
    bool good = golden_compare(a, b, tolerance, &words);
    ck_assert_int_eq(good, words.size == 0);
    builder_free(&words);
    free(a);
    free(b);
    scratch_close(folder);
    return good;
}

#define F32(...)                                                                                   \
    (OneTensor) {                                                                                  \
        "F32", "[2]", (const float[]){__VA_ARGS__}, 8                                              \
    }
#define F16(...)                                                                                   \
    (OneTensor) {                                                                                  \
        "F16", "[4]", (const uint16_t[]){__VA_ARGS__}, 8                                           \
    }

START_TEST(differences_are_held_against_the_tolerance) {
    Tolerance none = {0};
    ck_assert(agree(F32(1, 2), F32(1, 2), none));
    ck_assert(!agree(F32(1, 2), F32(1, 2.0001f), none));
    ck_assert(agree(F32(1, 2), F32(1, 2.0001f), (Tolerance){.absolute = 2e-4}));
    ck_assert(agree(F32(1, 2), F32(1, 2.0001f), (Tolerance){.relative = 1e-4}));
    ck_assert(!agree(F32(1, 2), F32(1.0001f, 2), (Tolerance){.relative = 6e-5}));
    ck_assert(agree(F32(1, 2), F32(1.0001f, 2), (Tolerance){.scaled = 6e-5}));
}
END_TEST

START_TEST(special_values_agree_with_themselves_alone) {
    Tolerance wide = {.absolute = 1e9};
    ck_assert(agree(F32(NAN, INFINITY), F32(NAN, INFINITY), wide));
    ck_assert(agree(F32(0.0f, 1), F32(-0.0f, 1), (Tolerance){0}));
    ck_assert(!agree(F32(NAN, 1), F32(1, 1), wide));
    ck_assert(!agree(F32(INFINITY, 1), F32(-INFINITY, 1), wide));
    ck_assert(!agree(F32(1, 1), F32(INFINITY, 1), wide));
}
END_TEST

START_TEST(halves_may_be_neighbours) {
    Tolerance near = {.near_fraction = 0.01};
    ck_assert(agree(F16(0x3c00, 0x3c00, 0x3c00, 0), F16(0x3c01, 0x3bff, 0x3c00, 0), near));
    ck_assert(!agree(F16(0x3c00, 0x3c00, 0x3c00, 0), F16(0x3c01, 0x3bff, 0x3c01, 0), near));
    ck_assert(!agree(F16(0x3c00, 0, 0, 0), F16(0x3c02, 0, 0, 0), near));
    ck_assert(!agree(F16(0x3c00, 0, 0, 0), F16(0x3c01, 0, 0, 0), (Tolerance){0}));
    ck_assert(agree(F16(0x0001, 0, 0, 0), F16(0x8000, 0, 0, 0), near));
}
END_TEST

START_TEST(shapes_and_dtypes_must_match) {
    float one[] = {1, 1};
    OneTensor vector = {"F32", "[1]", one, 4}, scalar = {"F32", "[]", one, 4};
    OneTensor matrix = {"F32", "[1,1]", one, 4}, integer = {"I32", "[1]", one, 4};
    ck_assert(agree(vector, scalar, (Tolerance){0}));
    ck_assert(!agree(scalar, vector, (Tolerance){0}));
    ck_assert(!agree(vector, matrix, (Tolerance){0}));
    ck_assert(!agree(vector, integer, (Tolerance){0}));
}
END_TEST

START_TEST(own_cases_agree) {
    GoldenResults results = golden_run_all("tests/golden");
    Builder words = {0};
    GoldenCount count = golden_count(&results, NULL, &words);
    ck_assert_msg(count.failed == 0, "%zu of %zu cases failed\n%.*s", count.failed,
                  count.failed + count.passed, TEXT_ARG(builder_view(&words)));
    builder_free(&words);
    golden_free(&results);
}
END_TEST

Suite *golden_suite(void) {
    Suite *suite = suite_create("golden");
    TCase *comparison = tcase_create("comparison");
    tcase_add_test(comparison, differences_are_held_against_the_tolerance);
    tcase_add_test(comparison, special_values_agree_with_themselves_alone);
    tcase_add_test(comparison, halves_may_be_neighbours);
    tcase_add_test(comparison, shapes_and_dtypes_must_match);
    suite_add_tcase(suite, comparison);
    TCase *cases = tcase_create("cases");
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, own_cases_agree);
    suite_add_tcase(suite, cases);
    return suite;
}
