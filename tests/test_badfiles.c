/* The corpus of malformed and odd models in ../shared/badfiles, where that is there: each case's
 * verdict, and of valid ones every tensor's name, dtype, shape and size. */
#include "scratch.h"
#include "tests.h"

#include "base/file.h"
#include "tensor/reader.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CORPUS "../shared/badfiles/"

static json_t *cases;

static const char *field(const json_t *object, const char *name) {
    const char *value = json_string_value(json_object_get(object, name));
    return value == NULL ? "" : value;
}

static void copy_file(const char *from, const char *to) {
    Arena arena = {0};
    Text data;
    int error;
    ck_assert_msg(file_read(&arena, text_from(from), FILE_TEXT_LIMIT, &data, &error), "%s", from);
    scratch_put(to, data);
    arena_free(&arena);
}

static void make_special(const char *what, const char *path) {
    if (strcmp(what, "fifo") == 0)
        ck_assert_int_eq(mkfifo(path, 0600), 0);
    else if (strcmp(what, "directory") == 0)
        ck_assert_int_eq(mkdir(path, 0700), 0);
    else if (strcmp(what, "dangling-symlink") == 0)
        ck_assert_int_eq(symlink("no-such-target", path), 0);
    else if (strcmp(what, "symlink-loop") == 0)
        ck_assert_int_eq(symlink(strrchr(path, '/') + 1, path), 0);
    else if (strncmp(what, "link:", 5) == 0)
        ck_assert_int_eq(symlink(what + 5, path), 0);
    else
        ck_assert_str_eq(what, "missing");
}

/* The folders above a name in the scratch folder. */
static void make_parents(const char *name) {
    char *path = strdup(scratch_path(name));
    for (char *slash = path + strlen(path) - strlen(name); (slash = strchr(slash, '/')) != NULL;
         slash++) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    free(path);
}

static const char *make_sharded(const json_t *test) {
    Arena arena = {0};
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(test, "files"), name, value) {
        make_parents(name);
        copy_file(text_format(&arena, CORPUS "%s/%s", field(test, "path"), name).data, name);
    }
    json_object_foreach(json_object_get(test, "symlinks"), name, value) {
        make_parents(name);
        ck_assert_int_eq(symlink(json_string_value(value), scratch_path(name)), 0);
    }
    json_object_foreach(json_object_get(test, "special"), name, value) {
        make_parents(name);
        make_special(json_string_value(value), scratch_path(name));
    }
    arena_free(&arena);
    return scratch_path(field(test, "entry"));
}

/* Dimensions up to 2^64 - 1 are no integers for jansson: all numbers are read as f64. */
static uint64_t number(const json_t *array, size_t i) {
    return (uint64_t)json_number_value(json_array_get(array, i));
}

/* The name of the tensor at place I; the second kind collides under h * 33 + c. */
static void add_name(Builder *header, const char *scheme, uint64_t i, uint64_t count) {
    if (strcmp(scheme, "plain") == 0)
        builder_format(header, "\"t%" PRIu64 "\"", i);
    else {
        builder_char(header, '"');
        for (int bit = 0; (count - 1) >> bit != 0; bit++)
            builder_add(header, i >> bit & 1 ? TEXT("FY") : TEXT("Ez"));
        builder_char(header, '"');
    }
}

/* COUNT tensors of one byte each. */
static void add_names(Builder *header, const char *scheme, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        if (i > 0)
            builder_char(header, ',');
        add_name(header, scheme, i, count);
        builder_format(
            header, ":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}",
            i, i + 1);
    }
}

/* COUNT tensors that claim the same bytes. */
static void add_overlapping(Builder *header, uint64_t count, uint64_t size) {
    for (uint64_t i = 0; i < count; i++)
        builder_format(header,
                       "%s\"weight_%" PRIu64
                       "\":{\"dtype\":\"F32\",\"shape\":[200,200],\"data_offsets\":[0,%" PRIu64
                       "]}",
                       i > 0 ? "," : "", i, size);
}

static void add_repeated(Builder *header, char unit, uint64_t count) {
    char chunk[4096];
    memset(chunk, unit, sizeof chunk);
    for (; count >= sizeof chunk; count -= sizeof chunk)
        builder_add(header, (Text){chunk, sizeof chunk});
    builder_add(header, (Text){chunk, count});
}

static void add_part(Builder *header, const json_t *part) {
    const char *kind = json_string_value(json_array_get(part, 0));
    const char *text = json_string_value(json_array_get(part, 1));
    if (strcmp(kind, "text") == 0)
        builder_add(header, text_from(text));
    else if (strcmp(kind, "repeat") == 0)
        add_repeated(header, text[0], number(part, 2));
    else if (strcmp(kind, "names") == 0)
        add_names(header, text, number(part, 2));
    else
        add_overlapping(header, number(part, 1), number(part, 5));
}

static const char *make_generated(const json_t *build, const char *name) {
    Builder header = {0};
    const json_t *part;
    size_t i;
    json_array_foreach(json_object_get(build, "header"), i, part) {
        add_part(&header, part);
    }
    const char *path = scratch_model(name, builder_view(&header), 0);
    uint64_t length = (uint64_t)json_number_value(json_object_get(build, "declared_length"));
    uint64_t size = (uint64_t)json_number_value(json_object_get(build, "file_size"));
    if (size == 0)
        size = 8 + header.size + (uint64_t)json_number_value(json_object_get(build, "data_bytes"));
    builder_free(&header);
    int file = file_open(path, O_WRONLY, 0);
    ck_assert(length == 0 || file_write_at(file, &length, sizeof length, 0));
    ck_assert_int_eq(ftruncate(file, (off_t)size), 0);
    close(file);
    return path;
}

static const char *make_case(const json_t *test) {
    Arena arena = {0};
    const char *kind = field(test, "kind"), *path;
    const char *name = text_format(&arena, "%s.safetensors", field(test, "id")).data;
    if (strcmp(kind, "sharded") == 0) {
        path = make_sharded(test);
    } else if (strcmp(kind, "generated") == 0) {
        path = make_generated(json_object_get(test, "build"), name);
    } else if (strcmp(kind, "special") == 0) {
        path = scratch_path(name);
        make_special(field(test, "special"), path);
    } else {
        path = scratch_path(name);
        copy_file(text_format(&arena, CORPUS "%s", field(test, "path")).data, name);
    }
    arena_free(&arena);
    return path;
}

static void check_tensor(const Model *model, const json_t *expected) {
    const json_t *name = json_object_get(expected, "name"),
                 *shape = json_object_get(expected, "shape");
    const Tensor *tensor =
        model_find(model, (Text){json_string_value(name), json_string_length(name)});
    ck_assert_ptr_nonnull(tensor);
    ck_assert_str_eq(dtype_info[tensor->dtype].file_name.data, field(expected, "dtype"));
    ck_assert_uint_eq(tensor->bytes,
                      (uint64_t)json_number_value(json_object_get(expected, "nbytes")));
    ck_assert_uint_eq(tensor->shape.rank, json_array_size(shape));
    for (uint32_t i = 0; i < tensor->shape.rank; i++)
        ck_assert_double_eq((double)tensor->shape.dims[i],
                            json_number_value(json_array_get(shape, i)));
}

static void check_tensors(const Model *model, const json_t *test) {
    const json_t *tensors = json_object_get(test, "tensors"),
                 *count = json_object_get(test, "tensor_count");
    ck_assert_uint_eq(model->n_tensors,
                      count != NULL ? (size_t)json_number_value(count) : json_array_size(tensors));
    const json_t *tensor;
    size_t i;
    json_array_foreach(tensors, i, tensor) {
        check_tensor(model, tensor);
    }
}

/* Names the file, is short, and holds no control bytes. */
static void check_message(const Diags *diags, const json_t *test) {
    ck_assert_uint_eq(diags_count(diags), 1);
    Text message = diags_at(diags, 0)->message;
    ck_assert_uint_lt(message.size, 8192);
    for (size_t i = 0; i < message.size; i++)
        ck_assert((unsigned char)message.data[i] >= 0x20 && message.data[i] != 0x7F);
    if (strcmp(field(test, "kind"), "sharded") != 0)
        ck_assert_ptr_nonnull(strstr(message.data, field(test, "id")));
}

START_TEST(corpus_case) {
    const json_t *test = json_array_get(cases, (size_t)_i);
    Diags *diags = diags_new();
    Model *model = model_open(text_from(make_case(test)), diags, SPAN_NONE);
    bool valid = strcmp(field(test, "verdict"), "valid") == 0;
    if (strcmp(field(test, "class"), "choice") != 0)
        ck_assert_msg((model != NULL) == valid, "%s: wrong verdict", field(test, "id"));
    if (model == NULL)
        check_message(diags, test);
    else if (valid)
        check_tensors(model, test);
    model_close(model);
    diags_free(diags);
}
END_TEST

/* Read once, before the tests fork. */
static int load_cases(void) {
    if (access(CORPUS, F_OK) != 0)
        return 0;
    json_t *manifest =
        json_load_file(CORPUS "manifest.json", JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
    cases = json_incref(json_object_get(manifest, "case"));
    assert(cases != NULL);
    json_decref(manifest);
    return (int)json_array_size(cases);
}

Suite *badfiles_suite(void) {
    Suite *suite = suite_create("badfiles");
    TCase *tests = tcase_create("badfiles");
    tcase_add_checked_fixture(tests, scratch_make, scratch_remove);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, corpus_case, 0, load_cases());
    suite_add_tcase(suite, tests);
    return suite;
}
