/* What threads write to one file: nothing is lost, whoever had to wait. */
#include "exec/outbox.h"
#include "tests.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { LARGE = 8 << 20, PART = 1000, PARTS = 3 * OUTBOX_LIMIT, TRIES = 1 << 20 };

/* An output of two tensors: one that another thread writes again and again, and ours. */
typedef struct Scene {
    OutputTensor tensors[2];
    Output output;
    Outbox outbox;
    atomic_bool stop;
    pthread_t other;
} Scene;

static void *write_again_and_again(void *context) {
    Scene *scene = context;
    unsigned char *data = memory_grow(NULL, LARGE);
    memset(data, 1, LARGE);
    while (!atomic_load(&scene->stop))
        ck_assert(output_write(scene->output.files, &scene->tensors[0], scene->tensors[0].offset,
                               data, LARGE));
    free(data);
    return NULL;
}

static void scene_open(Scene *scene) {
    *scene = (Scene){0};
    scene->tensors[0] =
        (OutputTensor){.name = TEXT("a"), .dtype = DTYPE_U8, .shape = {.rank = 1, .dims = {LARGE}}};
    scene->tensors[1] = (OutputTensor){
        .name = TEXT("b"), .dtype = DTYPE_U8, .shape = {.rank = 1, .dims = {PARTS * PART}}};
    scene->output = (Output){output_open_memory(scene->tensors, 2), scene->tensors, 2};
    scene->outbox.memory = memory_grow(NULL, OUTBOX_BYTES);
    scene->outbox.size = OUTBOX_BYTES;
    ck_assert_int_eq(pthread_create(&scene->other, NULL, write_again_and_again, scene), 0);
}

static void scene_close(Scene *scene) {
    output_abandon(scene->output.files);
    free(scene->outbox.memory);
}

/* Sends part I of our tensor, which is full of I + 1. */
static void send_part(Scene *scene, unsigned i) {
    size_t size;
    Block block = {&scene->output, &scene->tensors[1], scene->tensors[1].offset + i * PART, PART,
                   outbox_room(&scene->outbox, PART, &size)};
    ck_assert_uint_ge(size, PART);
    memset(block.bytes, (int)i + 1, PART);
    outbox_send(&scene->outbox, &block);
}

static void check_parts(const Scene *scene) {
    const unsigned char *ours = output_memory(scene->output.files, &scene->tensors[1]);
    for (unsigned i = 0; i < PARTS; i++)
        for (unsigned k = 0; k < PART; k++)
            ck_assert_uint_eq(ours[i * PART + k], (unsigned char)(i + 1));
}

START_TEST(what_waits_is_written_in_the_end) {
    Scene scene;
    scene_open(&scene);
    unsigned most = 0;
    for (int n = 0; n < TRIES && most < OUTBOX_LIMIT; n++)
        for (unsigned i = 0; i < PARTS; i++) {
            send_part(&scene, i);
            most = scene.outbox.n_waiting > most ? scene.outbox.n_waiting : most;
        }
    ck_assert_uint_eq(most, OUTBOX_LIMIT);
    outbox_flush(&scene.outbox);
    ck_assert_uint_eq(scene.outbox.n_waiting, 0);
    ck_assert_uint_eq(scene.outbox.used, 0);
    ck_assert_uint_eq(scene.outbox.bytes_written % (PARTS * PART), 0);
    check_parts(&scene);
    atomic_store(&scene.stop, true);
    pthread_join(scene.other, NULL);
    scene_close(&scene);
}
END_TEST

START_TEST(nothing_waits_where_it_is_looked_for) {
    Scene scene;
    scene_open(&scene);
    scene.outbox.prompt = true;
    for (unsigned i = 0; i < PARTS; i++) {
        send_part(&scene, i);
        ck_assert_uint_eq(scene.outbox.n_waiting, 0);
    }
    check_parts(&scene);
    atomic_store(&scene.stop, true);
    pthread_join(scene.other, NULL);
    scene_close(&scene);
}
END_TEST

Suite *outbox_suite(void) {
    Suite *suite = suite_create("outbox");
    TCase *tests = tcase_create("outbox");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, what_waits_is_written_in_the_end);
    tcase_add_test(tests, nothing_waits_where_it_is_looked_for);
    suite_add_tcase(suite, tests);
    return suite;
}
