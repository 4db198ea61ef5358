#include "exec/compare.h"

#include "base/vector.h"
#include "tensor/scales.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    STEP = 2048,             /* elements that are converted at once, and stay in cache */
    PIECE_ELEMENTS = 1 << 20 /* of a tensor that one thread compares */
};

/* Between these, sums of at most PIECE_ELEMENTS squares in f32 are right: squares that are too
 * small for it are a share of 1e-12 of them, and none is too large. */
static const double SQUARES_LEAST = 1e-20, SQUARES_MOST = 1e38;

/* A part of a pair. */
typedef struct Piece {
    uint32_t pair;
    uint64_t begin, end; /* elements */
    Comparison found;
} Piece;

typedef struct Comparing {
    const TensorPair *pairs;
    Piece *pieces;
    size_t n_pieces;
    const volatile int *interrupted;
    atomic_size_t next;
} Comparing;

/* Floats of at most 32 bits and small integers are exact in f32; for the rest f64 is taken. */
static Compute compute_for(const TensorPair *pair) {
    static const DType exact[] = {DTYPE_BOOL, DTYPE_U8,  DTYPE_I8,  DTYPE_F8_E5M2, DTYPE_F8_E4M3,
                                  DTYPE_I16,  DTYPE_U16, DTYPE_F16, DTYPE_BF16,    DTYPE_F32};
    unsigned found = 0;
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++)
        found += (exact[i] == pair->a->dtype) + (exact[i] == pair->b->dtype);
    return found == 2 ? COMPUTE_F32 : COMPUTE_F64;
}

static uint64_t byte_of(const Tensor *tensor, uint64_t element) {
    return element * dtype_info[tensor->dtype].bits / 8;
}

static double scale_of(const Tensor *scale, uint64_t row) {
    double factor;
    kernels_best()->table[COMPUTE_F64]->load[scale->dtype](&factor,
                                                           scale->data + byte_of(scale, row), 1);
    return factor;
}

/* Multiplies N elements, from AT on, by the scale of their tensor, or of their row in it. */
static void scale_values(const Tensor *tensor, Compute compute, void *values, uint64_t at,
                         size_t n) {
    uint64_t row = tensor->count / tensor->scale->count;
    double factor = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || (at + i) % row == 0)
            factor = scale_of(tensor->scale, (at + i) / row);
        if (compute == COMPUTE_F32)
            ((float *)values)[i] *= (float)factor;
        else
            ((double *)values)[i] *= factor;
    }
}

static void load(const KernelTable *table, const Tensor *tensor, Compute compute, void *values,
                 uint64_t at, size_t n) {
    table->load[tensor->dtype](values, tensor->data + byte_of(tensor, at), n);
    if (tensor->scale != NULL)
        scale_values(tensor, compute, values, at, n);
}

static void compare_elements(const TensorPair *pair, Compute compute, Piece *piece) {
    const KernelTable *table = kernels_best()->table[compute];
    _Alignas(64) double a[STEP], b[STEP];
    piece->found = (Comparison){.most = 0};
    for (uint64_t at = piece->begin; at < piece->end; at += STEP) {
        size_t n = piece->end - at < STEP ? (size_t)(piece->end - at) : STEP;
        load(table, pair->a, compute, a, at, n);
        load(table, pair->b, compute, b, at, n);
        table->compare(&piece->found, a, b, n);
    }
}

static bool fits_f32(const double *lanes) {
    double sum = 0;
    for (int i = 0; i < COMPARE_LANES; i++)
        sum += lanes[i];
    return sum > SQUARES_LEAST && sum < SQUARES_MOST;
}

static void compare_piece(const Comparing *comparing, Piece *piece) {
    const TensorPair *pair = &comparing->pairs[piece->pair];
    const Tensor *tensors[] = {pair->a, pair->b};
    for (int i = 0; i < 2; i++)
        model_will_need(tensors[i], byte_of(tensors[i], piece->begin),
                        byte_of(tensors[i], piece->end));
    Compute compute = compute_for(pair);
    compare_elements(pair, compute, piece);
    const Comparison *found = &piece->found;
    bool fits = fits_f32(found->a) && fits_f32(found->b) &&
                (found->changed == 0 || fits_f32(found->difference));
    if (compute == COMPUTE_F32 && !fits)
        compare_elements(pair, COMPUTE_F64, piece);
    for (int i = 0; i < 2; i++)
        model_done_with(tensors[i], byte_of(tensors[i], piece->begin),
                        byte_of(tensors[i], piece->end));
}

static bool is_interrupted(const Comparing *comparing) {
    return comparing->interrupted != NULL &&
           __atomic_load_n(comparing->interrupted, __ATOMIC_RELAXED) != 0;
}

static void *work(void *context) {
    Comparing *comparing = context;
    size_t i;
    while (!is_interrupted(comparing) &&
           (i = atomic_fetch_add(&comparing->next, 1)) < comparing->n_pieces)
        compare_piece(comparing, &comparing->pieces[i]);
    return NULL;
}

static void run_threads(Comparing *comparing, unsigned threads) {
    pthread_t *started = memory_grow(NULL, memory_size(threads, sizeof *started));
    unsigned n = 0;
    while (n + 1 < threads && pthread_create(&started[n], NULL, work, comparing) == 0)
        n++;
    work(comparing);
    for (unsigned i = 0; i < n; i++)
        pthread_join(started[i], NULL);
    free(started);
}

static void add(Comparison *to, const Comparison *part) {
    for (int i = 0; i < COMPARE_LANES; i++) {
        to->a[i] += part->a[i];
        to->b[i] += part->b[i];
        to->difference[i] += part->difference[i];
    }
    to->most = part->most > to->most ? part->most : to->most;
    to->changed += part->changed;
}

bool compare_tensors(TensorPair *pairs, uint32_t n, unsigned threads,
                     const volatile int *interrupted) {
    VECTOR(Piece) pieces = {0};
    for (uint32_t i = 0; i < n; i++) {
        const Tensor *a = pairs[i].a, *b = pairs[i].b;
        bool numbers = tensor_computes(a) && tensor_computes(b);
        for (uint64_t at = 0; numbers && at < a->count; at += PIECE_ELEMENTS) {
            uint64_t left = a->count - at;
            uint64_t end = left < PIECE_ELEMENTS ? a->count : at + PIECE_ELEMENTS;
            vector_push(&pieces, (Piece){.pair = i, .begin = at, .end = end});
        }
    }
    Comparing comparing = {pairs, pieces.items, pieces.count, interrupted, 0};
    run_threads(&comparing, threads);
    for (size_t i = 0; i < pieces.count; i++)
        add(&pairs[pieces.items[i].pair].found, &pieces.items[i].found);
    vector_free(&pieces);
    return !is_interrupted(&comparing);
}
