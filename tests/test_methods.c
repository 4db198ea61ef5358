/* Methods of the library on small models: what they make of inputs that are zero, equal, empty or
 * too few, and what the primitives on whole tensors come to, held against their definitions. */
#include "mecha.h"
#include "scratch.h"
#include "tensor/reader.h"
#include "tests.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- Models --- */

typedef struct Key {
    const char *name;
    uint32_t rank;
    uint64_t dims[4];
} Key;

/* Every kind of shape that a model could have, and some that none has. */
static const Key degenerate_keys[] = {{"scalar", 0, {0}},         {"one", 1, {1}},
                                      {"vector", 1, {5}},         {"wide", 2, {3, 7}},
                                      {"tall", 2, {7, 3}},        {"square", 2, {4, 4}},
                                      {"row", 2, {1, 6}},         {"column", 2, {6, 1}},
                                      {"point", 2, {1, 1}},       {"kernel", 4, {2, 3, 3, 3}},
                                      {"pixel", 4, {4, 2, 1, 1}}, {"cube", 3, {2, 3, 2}},
                                      {"empty", 1, {0}},          {"no_rows", 2, {0, 3}},
                                      {"no_columns", 2, {3, 0}},  {"hollow", 3, {2, 0, 3}}};
enum { N_DEGENERATE = sizeof degenerate_keys / sizeof *degenerate_keys };

static size_t key_count(const Key *key) {
    size_t count = 1;
    for (uint32_t i = 0; i < key->rank; i++)
        count *= key->dims[i];
    return count;
}

/* Numbers in (-1, 1) that depend on the seed; 0 is zeros. */
static float number_of(unsigned seed, size_t i) {
    uint32_t x = (uint32_t)(i + 1) * 2654435761u ^ seed * 40503u;
    x ^= x >> 15;
    x *= 2246822519u;
    x ^= x >> 13;
    return seed == 0 ? 0 : (float)((double)x / 2147483648.0 - 1);
}

static void add_header(Builder *file, const Key *keys, size_t n) {
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        builder_format(file, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[", i > 0 ? "," : "",
                       keys[i].name);
        for (uint32_t k = 0; k < keys[i].rank; k++)
            builder_format(file, "%s%llu", k > 0 ? "," : "", (unsigned long long)keys[i].dims[k]);
        size_t bytes = key_count(&keys[i]) * sizeof(float);
        builder_format(file, "],\"data_offsets\":[%zu,%zu]}", at, at + bytes);
        at += bytes;
    }
}

/* NUMBERS: of the only key, or NULL to make them up from the seed. */
static void put_model(const char *name, const Key *keys, size_t n, unsigned seed,
                      const float *numbers) {
    Builder file = {0};
    builder_add(&file, TEXT("........{"));
    add_header(&file, keys, n);
    builder_char(&file, '}');
    while (file.size % 8 != 0)
        builder_char(&file, ' ');
    uint64_t size = file.size - 8;
    memcpy(file.data, &size, sizeof size);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < key_count(&keys[i]); k++) {
            float number = numbers != NULL ? numbers[k] : number_of(seed, i * 1000 + k);
            builder_add(&file, (Text){(const char *)&number, sizeof number});
        }
    scratch_put(name, builder_view(&file));
    builder_free(&file);
}

/* --- Runs --- */

typedef struct Merge {
    bool ok;
    Diags *diags;
    Engine *engine;
    Model *made; /* NULL where it is not ok */
    MechaOptions options;
} Merge;

/* Runs a recipe in the scratch folder. */
static void merge_run(Merge *merge, const char *text, MechaOptions options) {
    static const char *folder[1];
    folder[0] = scratch_path("");
    *merge = (Merge){.options = options};
    merge->options.models_dirs = folder;
    merge->options.n_models_dirs = 1;
    merge->options.output = scratch_path("made.safetensors");
    merge->options.no_sync = true;
    merge->options.no_metadata = true;
    merge->engine = mecha_open(&merge->options);
    merge->diags = mecha_diags(merge->engine);
    merge->ok = mecha_load(merge->engine, TEXT("recipe"), text_from(text)) &&
                mecha_prepare(merge->engine) && mecha_run(merge->engine);
    if (merge->ok)
        merge->made = model_open(text_from(merge->options.output), merge->diags, SPAN_NONE);
}

static void merge_close(Merge *merge) {
    if (merge->made != NULL)
        model_close(merge->made);
    mecha_close(merge->engine);
}

static double made_number(const Tensor *tensor, size_t i) {
    double wide;
    float narrow;
    if (tensor->dtype == DTYPE_F64)
        memcpy(&wide, tensor->data + i * sizeof wide, sizeof wide);
    else
        memcpy(&narrow, tensor->data + i * sizeof narrow, sizeof narrow);
    return tensor->dtype == DTYPE_F64 ? wide : (double)narrow;
}

static void said(const Merge *merge, const char *recipe) {
    diags_print(merge->diags, stderr, (DiagStyle){0});
    fprintf(stderr, "by: %s\n", recipe);
}

/* --- Degenerate inputs --- */

/* A method over N models of a space, and the rest of its arguments. */
typedef struct Row {
    const char *method, *space;
    unsigned models;
    const char *arguments;
} Row;

static const Row degenerate_rows[] = {
    {"weighted_sum", "weight", 2, "0.3"},
    {"n_average", "weight", 3, ""},
    {"slerp", "weight", 2, "0.4"},
    {"perpendicular_component", "delta", 2, ""},
    {"train_difference_mask", "weight", 3, ""},
    {"add_opposite_mask", "weight", 3, ""},
    {"add_strict_opposite_mask", "weight", 3, ""},
    {"geometric_sum", "weight", 2, "0.5"},
    {"add_cosine_a", "weight", 2, "0.5"},
    {"crossover", "weight", 2, "0.3 0.4"},
    {"crossover", "weight", 2, "0.7 2.5"},
    {"clamp", "weight", 3, "stiffness=0.5"},
    {"tensor_sum", "weight", 2, "0.5 -0.25"},
    {"tensor_sum", "weight", 2, "1000.0 7.5"},
    {"top_k_tensor_sum", "weight", 2, "0.5 0.25"},
    {"top_k_tensor_sum", "weight", 2, "-3.0 9.0"},
    {"rotate", "weight", 2, ""},
    {"rotate", "weight", 2, "1.0 0.5 0.0"},
    {"rotate", "weight", 2, "0.5 0.0 1.0"},
    {"rotate", "weight", 2, "3.0 0.2 0.3"},
    {"rotate", "weight", 2, "-0.4 1.5 1.0"},
    {"truncate_rank", "delta", 1, "2"},
    {"truncate_rank", "delta", 1, "2 false"},
    {"truncate_rank", "delta", 1, "-5 false"},
    {"truncate_rank", "delta", 1, "1000000 false"},
    {"truncate_rank", "delta", 1, "1 true 3 7"},
    {"get_rank_from_ratio", "delta", 1, "0.5"},
    {"get_rank_from_ratio", "delta", 1, "-2.0"},
    {"truncate_kronecker", "delta", 1, ""},
    {"truncate_kronecker", "delta", 1, "0.0 false"},
    {"truncate_kronecker", "delta", 1, "7.0 true 0 1"},
    {"ties_sum", "delta", 1, "k=0.5"},
    {"ties_sum", "delta", 3, "k=0.5"},
    {"ties_sum", "delta", 3, "k=-4.0"},
    {"ties_sum", "delta", 3, "k=50.0"},
    {"ties_sum_extended", "delta", 3, ""},
    {"ties_sum_extended", "delta", 3, "k=0.0"},
    {"ties_sum_extended", "delta", 1, "apply_stock=true"},
    {"ties_sum_extended", "delta", 1, "apply_median=true"},
    {"ties_sum_extended", "delta", 3, "apply_median=true eps=0.0"},
    {"ties_stock", "delta", 2, ""},
    {"ties_sum_with_dropout", "delta", 3, ""},
    {"ties_sum_with_dropout", "delta", 2, "probability=1.0"},
    {"ties_sum_with_dropout", "delta", 2, "probability=0.5 della_eps=0.3 seed=-1"},
    {"ties_sum_with_dropout", "delta", 1, "probability=2.0 apply_stock=true"},
    {"dropout", "delta", 3, ""},
    {"dropout", "delta", 1, "probability=1.0 seed=3"},
    {"dropout", "delta", 3, "probability=0.0 rescale=1e9"},
    {"dropout", "delta", 3, "overlap=0.5 overlap_emphasis=0.5 seed=1"},
    {"dropout", "delta", 3, "overlap=2.0"},
    {"dropout", "delta", 2, "overlap=0.00002 probability=0.0 overlap_emphasis=1.0"},
    {"model_stock", "delta", 2, ""},
    {"paper_model_stock", "delta", 3, ""},
    {"geometric_median", "weight", 1, ""},
    {"geometric_median", "weight", 3, ""},
    {"geometric_median", "weight", 3, "maxiter=-1 eps=0.0"},
    {"geometric_median", "weight", 4, "maxiter=3 eps=1e30"},
    {"omit_non_finite", "weight", 1, ""},
    {"common", "weight", 3, ""},
    {"pad", "weight", 3, ""},
    {"pad", "delta", 2, "fill=0.5"},
};
enum { N_ROWS = sizeof degenerate_rows / sizeof *degenerate_rows };

/* Which models meet: their seeds. 0 is zeros. */
static const unsigned meetings[][4] = {
    {1, 2, 3, 4}, {0, 2, 3, 4}, {1, 0, 3, 4}, {0, 0, 0, 0}, {1, 1, 1, 1}};
enum { N_MEETINGS = sizeof meetings / sizeof *meetings };

static void write_call(Builder *text, const Row *row) {
    builder_format(text, "version 0.1.0\n");
    for (unsigned i = 0; i < row->models; i++)
        builder_format(text, "model \"m%u.safetensors\" model_config=null merge_space=\"%s\"\n", i,
                       row->space);
    builder_format(text, "merge \"%s\"", row->method);
    for (unsigned i = 0; i < row->models; i++)
        builder_format(text, " &%u", i);
    builder_format(text, " %s\n", row->arguments);
}

static void expect_finite(const Merge *merge, const char *recipe) {
    for (uint32_t i = 0; i < merge->made->n_tensors; i++) {
        const Tensor *tensor = &merge->made->tensors[i];
        for (size_t k = 0; k < tensor->count; k++)
            if (!isfinite(made_number(tensor, k)))
                ck_abort_msg("'%.*s' holds %g, by %s", TEXT_ARG(tensor->name),
                             made_number(tensor, k), recipe);
    }
}

START_TEST(degenerate_inputs_have_finite_results) {
    const Row *row = &degenerate_rows[_i];
    Builder text = {0};
    write_call(&text, row);
    for (unsigned meeting = 0; meeting < N_MEETINGS; meeting++)
        for (unsigned precise = 0; precise < 2; precise++) {
            for (unsigned i = 0; i < 4; i++) {
                Builder name = {0};
                builder_format(&name, "m%u.safetensors", i);
                put_model(name.data, degenerate_keys, N_DEGENERATE, meetings[meeting][i], NULL);
                builder_free(&name);
            }
            Merge merge;
            merge_run(&merge, text.data,
                      (MechaOptions){.space = "any", .compute = precise ? "f64" : "f32"});
            if (!merge.ok)
                said(&merge, text.data);
            ck_assert(merge.ok);
            ck_assert_uint_eq(merge.made->n_tensors, N_DEGENERATE);
            expect_finite(&merge, text.data);
            merge_close(&merge);
        }
    builder_free(&text);
}
END_TEST

/* What cannot be done, and the words that say so. */
static const struct Refusal {
    Row row;
    const char *words;
} refusals[] = {
    {{"ties_sum_extended", "delta", 1, ""}, "at least two"},
    {{"model_stock", "delta", 1, ""}, "at least two"},
    {{"paper_model_stock", "delta", 1, ""}, "at least two"},
    {{"ties_stock", "delta", 1, ""}, "at least two"},
    {{"dropout", "delta", 2, "probability=1.5"}, "between 0 and 1"},
    {{"dropout", "delta", 2, "seed=-3"}, "not negative"},
    {{"crossover", "weight", 2, "alpha=1.5"}, "between 0 and 1"},
};
enum { N_REFUSALS = sizeof refusals / sizeof *refusals };

static bool has_words(const Diags *diags, const char *words) {
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    diags_print(diags, stream, (DiagStyle){0});
    fclose(stream);
    bool found = strstr(text, words) != NULL;
    free(text);
    return found;
}

START_TEST(what_cannot_be_done_is_said) {
    Builder text = {0};
    write_call(&text, &refusals[_i].row);
    put_model("m0.safetensors", degenerate_keys, 6, 1, NULL);
    put_model("m1.safetensors", degenerate_keys, 6, 2, NULL);
    Merge merge;
    merge_run(&merge, text.data, (MechaOptions){.space = "any"});
    ck_assert(!merge.ok);
    if (!has_words(merge.diags, refusals[_i].words))
        said(&merge, text.data);
    ck_assert(has_words(merge.diags, refusals[_i].words));
    merge_close(&merge);
    builder_free(&text);
}
END_TEST

/* Some take one of their operands as it is, and what drops all elements asks for none. */
static bool needs_one_shape(const Row *row) {
    return row->models > 1 && strcmp(row->arguments, "probability=1.0") != 0 &&
           strcmp(row->method, "fallback") != 0 && strcmp(row->method, "common") != 0 &&
           strcmp(row->method, "pad") != 0;
}

START_TEST(nothing_is_cut_silently) {
    const Row *row = &degenerate_rows[_i];
    Key few = {"k", 2, {6, 4}}, many = {"k", 2, {8, 4}};
    if (!needs_one_shape(row))
        return;
    Builder text = {0};
    write_call(&text, row);
    put_model("m0.safetensors", &few, 1, 1, NULL);
    for (unsigned i = 1; i < 4; i++) {
        Builder name = {0};
        builder_format(&name, "m%u.safetensors", i);
        put_model(name.data, &many, 1, i + 1, NULL);
        builder_free(&name);
    }
    Merge merge;
    merge_run(&merge, text.data, (MechaOptions){.space = "any"});
    if (merge.ok || !has_words(merge.diags, "shape"))
        said(&merge, text.data);
    ck_assert(!merge.ok);
    ck_assert(has_words(merge.diags, "shape"));
    merge_close(&merge);
    builder_free(&text);
}
END_TEST

START_TEST(what_needs_more_memory_than_allowed_is_refused) {
    Key key = {"m", 2, {300, 200}};
    put_model("m0.safetensors", &key, 1, 1, NULL);
    Merge merge;
    merge_run(&merge, "method f(a: weight) -> weight { svd(a)[0] }\nf(model(\"m0.safetensors\"))",
              (MechaOptions){.memory = 1 << 20});
    ck_assert(!merge.ok);
    ck_assert(has_words(merge.diags, "needs"));
    merge_close(&merge);
}
END_TEST

/* --- Primitives --- */

/* A body of a method of a [5, 5], b [5, 5], w [3, 7], v [12], and what all elements of its result
 * are: 0 to within 1e-5 of 1. */
static const char *const identities[] = {
    "s = svd(w); matmul(s[0] * s[1], s[2]) - w",
    "s = svd(transpose(w)); matmul(s[0] * s[1], s[2]) - transpose(w)",
    "s = svd(a); matmul(transpose(s[0]), s[0]) - one",
    "s = svd(a); [s[1][i] < s[1][i + 1] for i in range(4)][3] + sum([s[1][i] < 0 for i in "
    "range(5)])",
    "f = qr(a); matmul(f[0], f[1]) - a",
    "f = qr(w); matmul(f[0], f[1]) - w",
    "f = qr(a); f[1] * (coordinate(a, 0) > coordinate(a, 1))",
    "f = eigen(a + transpose(a)); matmul(transpose(f[1]) * f[0], f[1]) - a - transpose(a)",
    "q = polar(a); matmul(q, transpose(q)) - one",
    "q = polar(w); matmul(q, transpose(q)) - one[0..3, 0..3]",
    "p = matmul(transpose(polar(a)), a); p - transpose(p)",
    "orientation(one) - 1",
    "orientation(-one) + 1",
    "orientation(a) * orientation(b) - orientation(matmul(a, b))",
    "matmul(inverse(a), a) - one",
    "matmul(a, solve(a, b)) - b",
    "assignment(one) - coordinate(one[0], 0)",
    "full([5, 5], 1) - one - (1 - one)",
    "p = torch_permutation(5, 3); take(one, assignment(take(one, p, 0)), 0) - take(one, p, 0)",
    "take(w, sort(coordinate(w[0], 0)), 1) - w",
    "balanced_head(a, b, 0, 0)[0] + 0 * one - balanced_head(a, b, 1, 0)[0]",
    "h = balanced_head(a, b, 0, 0); matmul(transpose(h[0]), h[1]) - matmul(transpose(a), b)",
    "matrix_power(a, 3) - matmul(a, matmul(a, a))",
    "matrix_power(a, 0) - one",
    "matmul(matrix_power(a, -2), matmul(a, a)) - one",
    "matmul(matrix_exp(a), matrix_exp(-a)) - one",
    "q = rotation(a); h = rotation_power(q, 0.5); matmul(h, h) - q",
    "q = rotation(a); rotation_power(q, 1) - q",
    "q = rotation(a); matrix_exp(rotation_log(q)) - q",
    "u = qr(transpose(w))[0]; v0 = qr(transpose(w) + 0.1)[0]; frame_exp(u, frame_log(u, v0)) - v0",
    "f = rfftn(w); irfftn(f[0], f[1], 7) - w",
    "f = rfftn(v); irfftn(f[0], f[1], 12) - v",
    "rfftn(v)[0][0] - sum(v)",
    "rfftn(v)[1][0]",
    "s = sort(v); sum([s[i] > s[i + 1] for i in range(11)])",
    "gather(v, argsort(v)) - sort(v)",
    "gather(sort(v), rank(v)) - v",
    "gather(argsort(v), rank(v)) - coordinate(v, 0)",
    "sort(where(v > 0, 1, -1)) - where(coordinate(v, 0) < sum(v <= 0), -1, 1)",
    "isfinite(gather(v, v * 0 - 1)) + isfinite(gather(v, v * 0 + 12))",
    "matmul(transpose(w), w) - sum([reshape(w[i], [7, 1]) * reshape(w[i], [1, 7]) for i in "
    "range(3)])",
    "matmul(w, transpose(w)) - transpose(matmul(w, transpose(w)))",
    "matmul(zeros_like(w)[0.., 0..0], zeros_like(w)[0..0])",
    "kth_value(v, 3) - sort(v)[2]",
    "u = random([1000]); (u < 0) + (u >= 1) + (abs(mean(u) - 0.5) > 0.05)",
    "random(v, 7, 1) - random(v, 7, 1)",
    "(random(v, 7, 1) == random(v, 7, 2)) + (random(v, 7) == random(v, 8))",
    "sort(reshape(torch_normal([8, 2], 3), [16])) - sort(reshape(torch_normal([4, 4], 3), [16]))",
    "c = numpy_choice([3, 4], [0.5, 0.5], 4); sort(c[0]) - sort(numpy_choice([4], [0.5, 0.5], 4))",
    "x = torch_normal([1000], 3); (abs(mean(x)) > 0.1) + (abs(norm(x) ^ 2 / 1000 - 1) > 0.1)",
    "m = torch_bernoulli([full_like(v, 0.5), full_like(v, 0), full_like(v, 1)], 3); m[1] + 1 - "
    "m[2]",
    "m = torch_bernoulli([full_like(w, 0.5)], 3)[0]; sum(m[.., 1..4] * w[.., 1..4]) - "
    "sum(transpose(where(m, w, 0))[1..4])",
    "m = torch_bernoulli([full_like(w, 0.5)], 3)[0]; matmul(m, transpose(w)) - matmul(m + 0, "
    "transpose(w))",
    "m = torch_bernoulli([full_like(w, 0.5)], 3)[0]; 1 - (sum(m) > 0) + (sort(1 * m)[0] != 0)",
    "sort(torch_permutation(12, 5)) - coordinate(v, 0)",
    "m = numpy_binomial([1000], 0.25, 4, n = 2); (abs(mean(m[0]) - 0.25) > 0.05) + all(m[0] == "
    "m[1])",
    "c = numpy_choice([1000], [0.5, 0, 0.5], 4); sum(c == 1) + (abs(mean(c) - 1) > 0.1)",
    "l = if any(v > 100) then [v, v] else [v, 0 * v]; l[1]",
};
enum { N_IDENTITIES = sizeof identities / sizeof *identities };

static const Key identity_keys[] = {
    {"a", 2, {5, 5}}, {"b", 2, {5, 5}}, {"w", 2, {3, 7}}, {"v", 1, {12}}};

static void put_identity_models(void) {
    for (unsigned i = 0; i < 4; i++) {
        Key key = identity_keys[i];
        Builder name = {0};
        builder_format(&name, "%s.safetensors", key.name);
        key.name = "k";
        put_model(name.data, &key, 1, i + 1, NULL);
        builder_free(&name);
    }
}

/* Models of different shapes meet: they are read as parameters of a method over one key. */
static const char prelude[] = "def rotation(a) { q = polar(a); q * (if orientation(q) < 0 then 1 - "
                              "2 * (coordinate(q, 0) == 0) else 1) }\n"
                              "method f(a: weight, b: weight, w: weight, v: weight) -> weight {\n"
                              "    one = 1 * (coordinate(a, 0) == coordinate(a, 1))\n    ";

static void write_body(Builder *text, const char *body) {
    builder_format(text, "%s", prelude);
    for (const char *at = body; *at != '\0'; at++)
        builder_format(text, *at == ';' ? "\n   " : "%c", *at);
    builder_format(text, "\n}\nf(model(\"a.safetensors\"), model(\"b.safetensors\"), "
                         "model(\"w.safetensors\"), model(\"v.safetensors\"))\n");
}

START_TEST(identities_hold) {
    put_identity_models();
    Builder text = {0};
    write_body(&text, identities[_i]);
    for (unsigned precise = 0; precise < 2; precise++) {
        Merge merge;
        merge_run(&merge, text.data,
                  (MechaOptions){.compute = precise ? "f64" : "f32", .dtype = "f64"});
        if (!merge.ok)
            said(&merge, text.data);
        ck_assert(merge.ok);
        const Tensor *made = model_find(merge.made, TEXT("k"));
        ck_assert_ptr_nonnull(made);
        for (size_t i = 0; i < made->count; i++)
            if (!(fabs(made_number(made, i)) <= 1e-5))
                ck_abort_msg("%g at %zu by %s", made_number(made, i), i, identities[_i]);
        merge_close(&merge);
    }
    builder_free(&text);
}
END_TEST

/* Calls that no tensor fits, and what is said. */
static const struct Mistake {
    const char *body, *words;
} mistakes[] = {
    {"matmul(a, w)", "as many rows"},
    {"matmul(a, v)", "matrix"},
    {"inverse(w)", "square"},
    {"matrix_power(a, 0.5)", "whole number"},
    {"svd(v)[0]", "matrix"},
    {"frame_log(a, b)", "taller than wide"},
    {"rfftn(sum(v))[0]", "dimensions"},
    {"irfftn(w, w, 5)", "n / 2 + 1"},
    {"irfftn(w, v, 12)", "shape of the first"},
    {"kth_value(v, 13)", "place"},
    {"torch_permutation(-1, 2)", "whole number"},
    {"torch_bernoulli(v, 2)[0]", "list"},
    {"numpy_binomial([3], 2, 1)[0]", "probability"},
    {"numpy_choice([3], [-1, 2], 1)", "not negative"},
    {"numpy_choice([3], [], 1)", "list of probabilities"},
    {"random([3], 0.5)", "whole number"},
    {"random([-1])", "could have"},
    {"full([10000000000, 10000000000, 10000000000], 1)", "could have"},
    {"full([3], v)", "one value"},
    {"solve(a, w)", "as many rows"},
    {"assignment(w)", "square"},
};
enum { N_MISTAKES = sizeof mistakes / sizeof *mistakes };

START_TEST(mistakes_are_said) {
    put_identity_models();
    Builder text = {0};
    write_body(&text, mistakes[_i].body);
    Merge merge;
    merge_run(&merge, text.data, (MechaOptions){0});
    ck_assert(!merge.ok);
    if (!has_words(merge.diags, mistakes[_i].words))
        said(&merge, text.data);
    ck_assert(has_words(merge.diags, mistakes[_i].words));
    merge_close(&merge);
    builder_free(&text);
}
END_TEST

/* --- Values --- */

typedef struct Expected {
    const char *body; /* of a method of a [5, 5], … as above */
    double numbers[8];
    unsigned n;
} Expected;

/* Kronecker splits as Python's logarithms decide them, and other numbers known beforehand. */
static const Expected values[] = {
    {"stack([x * 1.0 for x in kronecker_split([48, 32], 0.5)])", {6, 8}, 2},
    {"stack([x * 1.0 for x in kronecker_split([48, 32], 0.25)])", {3, 2}, 2},
    {"stack([x * 1.0 for x in kronecker_split([320, 320, 3, 3], 0.25)])", {2, 16}, 2},
    {"stack([x * 1.0 for x in kronecker_split([320, 320, 3, 3], 0.75)])", {80, 320}, 2},
    {"stack([x * 1.0 for x in kronecker_split([640, 77], 0.6)])", {640, 1}, 2},
    {"stack([x * 1.0 for x in kronecker_split([10240, 1280], 0.5)])", {80, 40}, 2},
    {"stack([x * 1.0 for x in kronecker_split([768, 3072], 0.75)])", {128, 512}, 2},
    {"stack([x * 1.0 for x in kronecker_split([7, 5], 0.5)])", {7, 1}, 2},
    {"stack([x * 1.0 for x in divisors(36)])[0..8]", {1, 2, 3, 4, 6, 9, 12, 18}, 8},
    {"reshape(kron(coordinate(a[0..1, 0..2], 1) + 1, coordinate(a[0..2, 0..1], 0) + 1), [-1])",
     {1, 2, 2, 4},
     4},
    {"stack([x * 1.0 for x in combination_probabilities(2, 0.5, 2, 0)])", {0.5, 0.25, 0.25, 0}, 4},
    {"stack([bits_set(n) * 1.0 for n in [0, 1, 2, 3, 255, 256]])", {0, 1, 1, 2, 8, 1}, 6},
    {"quantile(sort(v), 0.5) - (sort(v)[5] + sort(v)[6]) / 2", {0}, 1},
};
enum { N_VALUES = sizeof values / sizeof *values };

START_TEST(values_are_known) {
    const Expected *expected = &values[_i];
    put_identity_models();
    Builder text = {0};
    write_body(&text, expected->body);
    Merge merge;
    merge_run(&merge, text.data, (MechaOptions){.dtype = "f64"});
    if (!merge.ok)
        said(&merge, text.data);
    ck_assert(merge.ok);
    const Tensor *made = model_find(merge.made, TEXT("k"));
    ck_assert_uint_eq(made->count, expected->n);
    for (unsigned i = 0; i < expected->n; i++)
        ck_assert_double_eq_tol(made_number(made, i), expected->numbers[i], 1e-6);
    merge_close(&merge);
    builder_free(&text);
}
END_TEST

/* --- What only the evaluation can tell --- */

START_TEST(a_missing_key_may_depend_on_data) {
    Key key = {"k", 1, {3}};
    put_model("a.safetensors", &key, 1, 0, (float[]){1, -2, 3});
    put_model("b.safetensors", &key, 1, 0, (float[]){5, 6, 7});
    const char *recipe = "method positive(a: weight) -> weight {\n"
                         "    if any(a < 0) then absent() else a\n}\n"
                         "positive(model(\"%s.safetensors\")) | model(\"b.safetensors\")\n";
    for (unsigned i = 0; i < 2; i++) {
        Builder text = {0};
        builder_format(&text, recipe, i == 0 ? "a" : "b");
        Merge merge;
        merge_run(&merge, text.data, (MechaOptions){0});
        ck_assert(merge.ok);
        ck_assert_double_eq(made_number(model_find(merge.made, TEXT("k")), 1), 6);
        merge_close(&merge);
        builder_free(&text);
    }
}
END_TEST

/* Each key by itself: of two branches only the one that is chosen is computed. */
START_TEST(what_is_not_chosen_is_not_computed) {
    Key keys[] = {{"positive", 2, {2, 2}}, {"negative", 2, {2, 2}}};
    put_model("a.safetensors", keys, 1, 0, (float[]){2, 0, 0, 4});
    put_model("b.safetensors", &keys[1], 1, 0, (float[]){-2, 0, 0, -4});
    const char *recipe = "method f(a: weight) -> weight {\n"
                         "    if min(a) < 0 then inverse(a) else inverse(inverse(a + 1))\n}\n"
                         "f(model(\"%s.safetensors\"))\n";
    for (unsigned i = 0; i < 2; i++) {
        Builder text = {0}, plan = {0};
        builder_format(&text, recipe, i == 0 ? "a" : "b");
        Merge merge;
        merge_run(&merge, text.data, (MechaOptions){0});
        ck_assert(merge.ok);
        double first = made_number(&merge.made->tensors[0], 0);
        ck_assert_double_eq_tol(first, i == 0 ? 3 : -0.5, 1e-6);
        mecha_explain(merge.engine, &plan);
        ck_assert_ptr_nonnull(strstr(plan.data, "only if"));
        builder_free(&plan);
        merge_close(&merge);
        builder_free(&text);
    }
}
END_TEST

START_TEST(what_is_not_finite_is_left_out) {
    Key key = {"k", 1, {3}};
    put_model("m0.safetensors", &key, 1, 0, (float[]){1, INFINITY, 3});
    Builder text = {0};
    write_call(&text, &(Row){"omit_non_finite", "weight", 1, ""});
    Merge merge;
    merge_run(&merge, text.data, (MechaOptions){.keep_non_finite = true});
    ck_assert(merge.ok);
    ck_assert_uint_eq(merge.made->n_tensors, 0);
    merge_close(&merge);
    builder_free(&text);
}
END_TEST

/* What a matrix cannot be decomposed for: NaN stays NaN, and ends nothing. */
START_TEST(matrices_with_nan_stay_nan) {
    Key key = {"k", 2, {2, 2}};
    put_model("m0.safetensors", &key, 1, 0, (float[]){1, NAN, 3, 4});
    Merge merge;
    merge_run(&merge, "method f(a: weight) -> weight { polar(a) }\nf(model(\"m0.safetensors\"))",
              (MechaOptions){.keep_non_finite = true});
    ck_assert(merge.ok);
    for (size_t i = 0; i < 4; i++)
        ck_assert(isnan(made_number(model_find(merge.made, TEXT("k")), i)));
    merge_close(&merge);
}
END_TEST

Suite *methods_suite(void) {
    Suite *suite = suite_create("methods");
    TCase *tests = tcase_create("methods");
    tcase_add_checked_fixture(tests, scratch_make, scratch_remove);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, degenerate_inputs_have_finite_results, 0, N_ROWS);
    tcase_add_loop_test(tests, what_cannot_be_done_is_said, 0, N_REFUSALS);
    tcase_add_loop_test(tests, nothing_is_cut_silently, 0, N_ROWS);
    tcase_add_test(tests, what_needs_more_memory_than_allowed_is_refused);
    tcase_add_loop_test(tests, identities_hold, 0, N_IDENTITIES);
    tcase_add_loop_test(tests, mistakes_are_said, 0, N_MISTAKES);
    tcase_add_loop_test(tests, values_are_known, 0, N_VALUES);
    tcase_add_test(tests, a_missing_key_may_depend_on_data);
    tcase_add_test(tests, what_is_not_chosen_is_not_computed);
    tcase_add_test(tests, what_is_not_finite_is_left_out);
    tcase_add_test(tests, matrices_with_nan_stay_nan);
    suite_add_tcase(suite, tests);
    return suite;
}
