#include "exec/content.h"

#include "base/arena.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <xxhash.h>

uint64_t content_blocks(const Tensor *tensor) {
    return (tensor->bytes + CONTENT_BLOCK - 1) / CONTENT_BLOCK;
}

uint64_t content_name(const Tensor *tensor) {
    return XXH3_64bits(tensor->name.data, tensor->name.size);
}

static void add_hash(Content *sum, HashLoop *hash, const void *data, size_t size) {
    uint64_t halves[2];
    hash(halves, data, size);
    content_add(sum, (Content){halves[0], halves[1]});
}

void content_add_blocks(Content *sum, HashLoop *hash, const Tensor *tensor, uint64_t name,
                        uint64_t begin, uint64_t end) {
    for (uint64_t i = begin; i < end; i++) {
        uint64_t at = i * CONTENT_BLOCK, left = tensor->bytes - at;
        uint64_t numbers[4] = {0, 0, name, i};
        hash(numbers, tensor->data + at, left < CONTENT_BLOCK ? left : CONTENT_BLOCK);
        add_hash(sum, hash, numbers, sizeof numbers);
    }
}

void content_add_name(Content *sum, HashLoop *hash, const Tensor *tensor) {
    Builder words = {0};
    builder_add(&words, tensor->name);
    builder_char(&words, '\0');
    builder_format(&words, "%.*s ", TEXT_ARG(dtype_info[tensor->dtype].file_name));
    shape_print(&words, &tensor->shape);
    add_hash(sum, hash, words.data, words.size);
    builder_free(&words);
}

/* ---- by several threads ---- */

typedef struct Reading {
    const Tensor *const *tensors;
    size_t count;
    const volatile int *interrupted;
    atomic_size_t next;
    pthread_mutex_t lock;
    Content sum;
} Reading;

static bool is_interrupted(const Reading *reading) {
    return reading->interrupted != NULL &&
           __atomic_load_n(reading->interrupted, __ATOMIC_RELAXED) != 0;
}

static void *read_some(void *context) {
    Reading *reading = context;
    HashLoop *hash = kernels_best()->hash;
    Content sum = {0, 0};
    for (size_t i;
         !is_interrupted(reading) && (i = atomic_fetch_add(&reading->next, 1)) < reading->count;) {
        const Tensor *tensor = reading->tensors[i];
        model_will_need(tensor, 0, tensor->bytes);
        content_add_name(&sum, hash, tensor);
        content_add_blocks(&sum, hash, tensor, content_name(tensor), 0, content_blocks(tensor));
        model_done_with(tensor, 0, tensor->bytes);
    }
    pthread_mutex_lock(&reading->lock);
    content_add(&reading->sum, sum);
    pthread_mutex_unlock(&reading->lock);
    return NULL;
}

Content content_of_tensors(const Tensor *const *tensors, size_t count, unsigned threads,
                           const volatile int *interrupted) {
    Reading reading = {.tensors = tensors, .count = count, .interrupted = interrupted};
    pthread_t *started = memory_grow(NULL, memory_size(threads, sizeof *started));
    unsigned n = 0;
    pthread_mutex_init(&reading.lock, NULL);
    while (n + 1 < threads && pthread_create(&started[n], NULL, read_some, &reading) == 0)
        n++;
    read_some(&reading);
    for (unsigned i = 0; i < n; i++)
        pthread_join(started[i], NULL);
    pthread_mutex_destroy(&reading.lock);
    free(started);
    return reading.sum;
}

void content_print(Builder *out, Content content) {
    builder_format(out, "%016llx%016llx", (unsigned long long)content.high,
                   (unsigned long long)content.low);
}
