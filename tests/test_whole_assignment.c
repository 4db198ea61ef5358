/* Assignments against all permutations. */
#include "tests.h"
#include "whole/assignment.h"

#include <stdlib.h>

enum { N = 6 };

static double sum_of(const double *scores, const uint32_t *columns) {
    double sum = 0;
    for (int i = 0; i < N; i++)
        sum += scores[i * N + columns[i]];
    return sum;
}

/* The best sum of rows FROM on, with the columns that are not taken. */
static double best_of(const double *scores, int from, unsigned taken) {
    double best = -1e300;
    for (int j = 0; from < N && j < N; j++) {
        if (taken >> j & 1)
            continue;
        double sum = scores[from * N + j] + best_of(scores, from + 1, taken | 1u << j);
        best = sum > best ? sum : best;
    }
    return from == N ? 0 : best;
}

/* Scores from few values, so that many tie, and from many. */
START_TEST(no_permutation_has_a_larger_sum) {
    double scores[N * N];
    uint32_t columns[N];
    srand((unsigned)_i);
    for (int i = 0; i < N * N; i++)
        scores[i] = _i % 2 ? rand() % 3 : rand() / 1e5 - 1e4;
    Workspace workspace;
    ck_assert(workspace_init(&workspace, assignment_bytes(N)));
    ck_assert_int_eq(assignment_solve(columns, matrix_view(scores, N, N), &workspace), STATUS_OK);
    unsigned taken = 0;
    for (int i = 0; i < N; i++)
        taken |= 1u << columns[i];
    ck_assert_uint_eq(taken, (1u << N) - 1);
    ck_assert_double_eq_tol(sum_of(scores, columns), best_of(scores, 0, 0), 1e-6);
    workspace_free(&workspace);
}
END_TEST

START_TEST(nothing_needs_no_assignment) {
    Workspace workspace;
    ck_assert(workspace_init(&workspace, assignment_bytes(0)));
    ck_assert_int_eq(assignment_solve(NULL, matrix_view(NULL, 0, 0), &workspace), STATUS_OK);
    workspace_free(&workspace);
}
END_TEST

Suite *whole_assignment_suite(void) {
    Suite *suite = suite_create("whole_assignment");
    TCase *tests = tcase_create("whole_assignment");
    tcase_add_loop_test(tests, no_permutation_has_a_larger_sum, 0, 60);
    tcase_add_test(tests, nothing_needs_no_assignment);
    suite_add_tcase(suite, tests);
    return suite;
}
