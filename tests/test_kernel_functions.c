/* What the elementwise functions are worth: their bounds in ULP against libm's long double, the
 * special values that C names, and random draws. */
#include "test_kernel.h"
#include "tests.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* The distance of GOT from EXACT in units of the last place of a double near it. */
static double ulps(double got, long double exact) {
    double nearest = (double)exact;
    if (same_number(got, nearest))
        return 0;
    if (!isfinite(got) || !isfinite(exact) || exact == 0)
        return INFINITY;
    int exponent;
    frexpl(exact, &exponent);
    int place = exponent - DBL_MANT_DIG < -1074 ? -1074 : exponent - DBL_MANT_DIG;
    return (double)fabsl(ldexpl(got - exact, -place));
}

/* A number in [0, 1) */
static double unit(uint64_t *state) {
    return (double)(test_random(state) >> 11) * 0x1p-53;
}

typedef struct Unary {
    OpCode op;
    long double (*exact)(long double);
    double bound, low, high; /* ULP, over LOW..HIGH */
} Unary;

static const Unary unary[] = {
    {OP_EXP, expl, 1, -750, 712},
    {OP_EXP, expl, 1, -1, 1},
    {OP_LOG, logl, 1, 0, 4},
    {OP_LOG, logl, 1, 0.9, 1.1},
    {OP_LOG, logl, 1, 0, DBL_MAX},
    {OP_LOG, logl, 1, 0, DBL_MIN},
    {OP_SIN, sinl, 1, -7, 7},
    {OP_SIN, sinl, 1, -1.6e6, 1.6e6},
    {OP_COS, cosl, 1, -7, 7},
    {OP_COS, cosl, 1, -1.6e6, 1.6e6},
    {OP_TAN, tanl, 2.5, -7, 7},
    {OP_TAN, tanl, 2.5, -1.6e6, 1.6e6},
    {OP_ASIN, asinl, 1, -1, 1},
    {OP_ACOS, acosl, 1, -1, 1},
    {OP_ACOS, acosl, 1, 0.99, 1},
    {OP_ASIN, asinl, 1, -1e-5, 1e-5},
    {OP_ATAN, atanl, 1, -8, 8},
    {OP_ATAN, atanl, 1, -1e-3, 1e-3},
    {OP_ATAN, atanl, 1, -1e300, 1e300},
    {OP_TANH, tanhl, 2.5, -1, 1},
    {OP_TANH, tanhl, 2.5, -25, 25},
    {OP_TANH, tanhl, 2.5, -1e-8, 1e-8},
    {OP_SIN, sinl, 1, -1e-3, 1e-3},
    {OP_TAN, tanl, 2.5, -1e-3, 1e-3},
    {OP_EXP, expl, 1, -1e-8, 1e-8},
    {OP_LOG, logl, 1, 0.5, 2},
    {OP_EXP, expl, 1, -745.2, -708},
    {OP_ACOS, acosl, 1, -1, -0.99},
};

START_TEST(unary_functions_keep_their_bounds) {
    const Unary *function = &unary[_i];
    uint64_t state = 1 + (uint64_t)_i;
    for (int i = 0; i < 100000; i++) {
        double x = function->low + (function->high - function->low) * unit(&state);
        double distance = ulps(uniform_op(function->op, x, 0, 0), function->exact(x));
        CHECK(distance <= function->bound, "%s(%a): %g ULP", op_info[function->op].name.data, x,
              distance);
    }
}
END_TEST

/* The doubles nearest to multiples of pi / 2 lose most in the reduction. */
START_TEST(turns_are_reduced_exactly) {
    const long double half_pi = 1.570796326794896619231321691639751442L;
    for (int n = -1000000; n <= 1000000; n += 37) {
        double x = (double)(n * half_pi);
        HOLDS(ulps(uniform_op(OP_SIN, x, 0, 0), sinl(x)) <= 1);
        HOLDS(ulps(uniform_op(OP_COS, x, 0, 0), cosl(x)) <= 1);
        HOLDS(ulps(uniform_op(OP_TAN, x, 0, 0), tanl(x)) <= 2.5);
    }
    for (double x = 2e6; x < 1e308; x *= 1.7) {
        HOLDS(fabs(uniform_op(OP_SIN, x, 0, 0)) <= 1);
        HOLDS(fabs(uniform_op(OP_COS, x, 0, 0)) <= 1);
    }
}
END_TEST

static void check_pow(double x, double y) {
    double distance = ulps(uniform_op(OP_POW, x, y, 0), powl(x, y));
    CHECK(distance <= 1, "pow(%a, %a): %g ULP", x, y, distance);
}

START_TEST(powers_keep_their_bound) {
    uint64_t state = 1;
    for (int i = 0; i < 100000; i++) {
        double x = unit(&state), y = unit(&state) - 0.5;
        check_pow(4 * x, 40 * y);
        check_pow(x + 0.5, 1e6 * y);
        check_pow(1 + x * 1e-9, 1e12 * y);
        check_pow(ldexp(x, i % 2000 - 1000), 3 * y);
        check_pow(-50 * x, floor(400 * y));
    }
}
END_TEST

START_TEST(angles_keep_their_bound) {
    uint64_t state = 2;
    for (int i = 0; i < 200000; i++) {
        double y = unit(&state) - 0.5, x = unit(&state) - 0.5;
        y = i % 3 ? y : ldexp(y, i % 2000 - 1000);
        double distance = ulps(uniform_op(OP_ATAN2, y, x, 0), atan2l(y, x));
        CHECK(distance <= 2, "atan2(%a, %a): %g ULP", y, x, distance);
    }
}
END_TEST

static const double special[] = {0,
                                 -0.0,
                                 1,
                                 -1,
                                 0.5,
                                 -0.5,
                                 2,
                                 -2,
                                 3,
                                 -3,
                                 7.5,
                                 -7.5,
                                 INFINITY,
                                 -INFINITY,
                                 NAN,
                                 0x1p-1074,
                                 -0x1p-1074,
                                 DBL_MIN,
                                 -DBL_MIN,
                                 DBL_MAX,
                                 -DBL_MAX,
                                 0x1p53,
                                 0x1p53 + 2,
                                 0x1.fffffffffffffp52,
                                 -0x1.fffffffffffffp52,
                                 1e-300,
                                 1023,
                                 -1074,
                                 -1075};
enum { SPECIALS = sizeof special / sizeof *special };

/* Signs of zeros, infinities and NaN as C has them. */
START_TEST(special_values_are_as_in_c) {
    static const struct {
        OpCode op;
        double (*c)(double);
        bool turns; /* not for arguments that are too large for it */
    } functions[] = {
        {OP_EXP, exp, false},     {OP_LOG, log, false},   {OP_SIN, sin, true},
        {OP_COS, cos, true},      {OP_TAN, tan, true},    {OP_ASIN, asin, false},
        {OP_ACOS, acos, false},   {OP_ATAN, atan, false}, {OP_TANH, tanh, false},
        {OP_FLOOR, floor, false}, {OP_CEIL, ceil, false}, {OP_ROUND, rint, false},
        {OP_TRUNC, trunc, false}, {OP_SQRT, sqrt, false}, {OP_ABS, fabs, false},
    };
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++)
        for (size_t i = 0; i < SPECIALS; i++) {
            double x = special[i], got = uniform_op(functions[f].op, x, 0, 0);
            if (functions[f].turns && isfinite(x) && fabs(x) > 1e6)
                continue;
            CHECK(ulps(got, functions[f].c(x)) <= 2.5, "%s(%g) = %g",
                  op_info[functions[f].op].name.data, x, got);
        }
    for (size_t i = 0; i < SPECIALS; i++)
        for (size_t j = 0; j < SPECIALS; j++) {
            double x = special[i], y = special[j];
            CHECK(ulps(uniform_op(OP_POW, x, y, 0), pow(x, y)) <= 1, "pow(%g, %g)", x, y);
            CHECK(ulps(uniform_op(OP_ATAN2, x, y, 0), atan2(x, y)) <= 1.5, "atan2(%g, %g)", x, y);
        }
}
END_TEST

/* In f32 the rounding functions have constants of their own. */
START_TEST(integers_are_found_in_both_types) {
    static const struct {
        OpCode op;
        double (*c)(double);
    } functions[] = {{OP_FLOOR, floor}, {OP_CEIL, ceil}, {OP_ROUND, rint}, {OP_TRUNC, trunc}};
    uint64_t state = 4;
    for (int i = 0; i < 40000; i++) {
        double x = ldexp(unit(&state) - 0.5, i % 60), tile, result;
        x = i % 3 == 0 ? floor(x) + 0.5 : x;
        real_set((Compute)_i, &tile, 0, x);
        x = real_get((Compute)_i, &tile, 0);
        kernels_best()->table[_i]->map[functions[i % 4].op][0](&result, &tile, NULL, NULL, 1);
        HOLDS(same_number(real_get((Compute)_i, &result, 0), functions[i % 4].c(x)));
    }
}
END_TEST

/* f32 is the f64 result rounded. */
START_TEST(functions_of_f32_are_those_of_f64_rounded) {
    static const OpCode ops[] = {OP_EXP,  OP_LOG,  OP_SIN,  OP_COS,   OP_TAN, OP_ASIN,
                                 OP_ACOS, OP_ATAN, OP_TANH, OP_ATAN2, OP_POW};
    uint64_t state = 6;
    for (int i = 0; i < 50000; i++) {
        float a = (float)test_number(&state), b = (float)test_number(&state), result;
        OpCode op = ops[i % 11];
        kernels_best()->table[COMPUTE_F32]->map[op][0](&result, &a, &b, NULL, 1);
        HOLDS(same_number(result, (float)uniform_op(op, a, b, 0)));
    }
}
END_TEST

START_TEST(simple_operations_are_what_they_are_called) {
    static const struct {
        OpCode op;
        double a, b, c, result;
    } cases[] = {
        {OP_ADD, 1, 2, 0, 3},
        {OP_SUB, 1, 2, 0, -1},
        {OP_MUL, 3, 2, 0, 6},
        {OP_DIV, 3, 2, 0, 1.5},
        {OP_NEG, 0, 0, 0, -0.0},
        {OP_SIGN, -3, 0, 0, -1},
        {OP_SIGN, -0.0, 0, 0, 0},
        {OP_SIGN, NAN, 0, 0, NAN},
        {OP_MIN, 1, NAN, 0, NAN},
        {OP_MIN, NAN, 1, 0, NAN},
        {OP_MIN, 2, 1, 0, 1},
        {OP_MAX, NAN, 1, 0, NAN},
        {OP_MAX, 1, NAN, 0, NAN},
        {OP_MAX, 2, 3, 0, 3},
        {OP_EQ, 1, 1, 0, 1},
        {OP_EQ, NAN, NAN, 0, 0},
        {OP_NE, NAN, NAN, 0, 1},
        {OP_LT, 1, 1, 0, 0},
        {OP_LE, 1, 1, 0, 1},
        {OP_AND, 2, NAN, 0, 1},
        {OP_AND, 2, 0, 0, 0},
        {OP_OR, 0, -1, 0, 1},
        {OP_OR, 0, -0.0, 0, 0},
        {OP_NOT, -0.0, 0, 0, 1},
        {OP_NOT, 5, 0, 0, 0},
        {OP_ISNAN, NAN, 0, 0, 1},
        {OP_ISNAN, INFINITY, 0, 0, 0},
        {OP_ISFINITE, DBL_MAX, 0, 0, 1},
        {OP_ISFINITE, -INFINITY, 0, 0, 0},
        {OP_ISFINITE, NAN, 0, 0, 0},
        {OP_WHERE, 0, 1, 2, 2},
        {OP_WHERE, NAN, 1, 2, 1},
        {OP_LERP, 0.1, 0.7, 0, 0.1},
        {OP_LERP, 0.1, 0.7, 1, 0.7},
        {OP_LERP, 2, 4, 0.25, 2.5},
        {OP_ADDMUL, 1, 2, 3, 7},
        {OP_DISTANCE, 1, 3, 0, 2},
        {OP_THRESHOLD, -2, 2, 0, -2},
        {OP_THRESHOLD, 1, 2, 0, 0},
        {OP_THRESHOLD, NAN, 2, 0, 0},
        {OP_THRESHOLD, 1, NAN, 0, 0},
        {OP_FINITE_OR, 1, 5, 0, 1},
        {OP_FINITE_OR, NAN, 5, 0, 5},
        {OP_FINITE_OR, -INFINITY, 5, 0, 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK(same_number(uniform_op(cases[i].op, cases[i].a, cases[i].b, cases[i].c),
                          cases[i].result),
              "case %zu, %s", i, op_info[cases[i].op].name.data);
}
END_TEST

/* The same draws in every build, tiling and type. */
START_TEST(draws_depend_on_seed_key_and_element_alone) {
    const Kernels *const *builds;
    size_t count = kernels_available(&builds);
    double one[3][100], all[100];
    float single[100];
    for (size_t build = 0; build < count; build++)
        for (int normal = 0; normal < 2; normal++) {
            const KernelTable *wide = builds[build]->table[COMPUTE_F64];
            const KernelTable *narrow = builds[build]->table[COMPUTE_F32];
            RandomLoop *draw = normal ? wide->normal : wide->uniform;
            (normal ? narrow->normal : narrow->uniform)(single, 1, 2, 1ull << 40, 100);
            draw(all, 1, 2, 1ull << 40, 100);
            const KernelTable *plain = builds[0]->table[COMPUTE_F64];
            for (size_t i = 0; i < 100; i++) {
                (normal ? plain->normal : plain->uniform)(&one[0][i], 1, 2, (1ull << 40) + i, 1);
                draw(&one[1][i], 2, 2, (1ull << 40) + i, 1);
                draw(&one[2][i], 1, 3, (1ull << 40) + i, 1);
                HOLDS(same_number(one[0][i], all[i]));
                HOLDS(one[1][i] != all[i] && one[2][i] != all[i]);
                HOLDS(same_number(single[i],
                                  normal ? (float)all[i] : floor(all[i] * 0x1p24) * 0x1p-24));
            }
        }
}
END_TEST

/* The stream begins where the mixed seed and key say; the mixer is the published one. */
static uint64_t splitmix(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

START_TEST(draws_are_those_of_splitmix) {
    const uint64_t step = 0x9e3779b97f4a7c15;
    HOLDS(splitmix(step) == 0xe220a8397b1dcdaf); /* its first output from state 0 */
    const Kernels *const *builds;
    size_t count = kernels_available(&builds);
    for (size_t build = 0; build < count; build++)
        for (uint64_t element = 0; element < 50; element++) {
            uint64_t state = splitmix(splitmix(77 + step) + 5) + (element + 1) * step;
            double draw;
            builds[build]->table[COMPUTE_F64]->uniform(&draw, 77, 5, element, 1);
            HOLDS(draw == ((double)(splitmix(state) >> 11) * 0x1p-53));
        }
}
END_TEST

START_TEST(draws_have_the_right_moments) {
    enum { N = 1 << 20 };
    double *draws = malloc(N * sizeof *draws);
    double mean[2] = {0}, square[2] = {0}, neighbours[2] = {0};
    for (int normal = 0; normal < 2; normal++) {
        const KernelTable *table = kernels_best()->table[COMPUTE_F64];
        (normal ? table->normal : table->uniform)(draws, 3, 4, 0, N);
        double centre = normal ? 0 : 0.5;
        for (size_t i = 0; i < N; i++) {
            HOLDS(isfinite(draws[i]) && (normal || (draws[i] >= 0 && draws[i] < 1)));
            mean[normal] += (draws[i] - centre) / N;
            square[normal] += (draws[i] - centre) * (draws[i] - centre) / N;
            neighbours[normal] += i ? (draws[i] - centre) * (draws[i - 1] - centre) / N : 0;
        }
    }
    HOLDS(fabs(mean[0]) < 0.002 && fabs(mean[1]) < 0.005);
    HOLDS(fabs(square[0] - 1.0 / 12) < 0.001 && fabs(square[1] - 1) < 0.01);
    HOLDS(fabs(neighbours[0]) < 0.001 && fabs(neighbours[1]) < 0.005);
    free(draws);
}
END_TEST

Suite *kernel_functions_suite(void) {
    Suite *suite = suite_create("kernel_functions");
    TCase *bounds = tcase_create("bounds"); /* against long double */
    tcase_set_timeout(bounds, 120);
    tcase_add_loop_test(bounds, unary_functions_keep_their_bounds, 0, sizeof unary / sizeof *unary);
    tcase_add_test(bounds, turns_are_reduced_exactly);
    tcase_add_test(bounds, powers_keep_their_bound);
    tcase_add_test(bounds, angles_keep_their_bound);
    suite_add_tcase(suite, bounds);
    TCase *values = tcase_create("values");
    tcase_set_timeout(values, 120);
    tcase_add_test(values, special_values_are_as_in_c);
    tcase_add_loop_test(values, integers_are_found_in_both_types, 0, 2);
    tcase_add_test(values, functions_of_f32_are_those_of_f64_rounded);
    tcase_add_test(values, simple_operations_are_what_they_are_called);
    tcase_add_test(values, draws_depend_on_seed_key_and_element_alone);
    tcase_add_test(values, draws_are_those_of_splitmix);
    tcase_add_test(values, draws_have_the_right_moments);
    suite_add_tcase(suite, values);
    return suite;
}
