/* Every rule of the safetensors format, each with bytes that break it. */
#include "scratch.h"
#include "tests.h"

#include "tensor/header.h"
#include "tensor/reader.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static Diags *diags;

static void set_up(void) {
    scratch_make();
    diags = diags_new();
}

static void tear_down(void) {
    diags_free(diags);
    scratch_remove();
}

static Model *open_model(const char *path) {
    diags_clear(diags);
    return model_open(text_from(path), diags, SPAN_NONE);
}

static Model *opened(const char *path) {
    Model *model = open_model(path);
    ck_assert_msg(model != NULL, "%s",
                  diags_count(diags) > 0 ? diags_at(diags, 0)->message.data : "");
    ck_assert_uint_eq(diags_count(diags), 0);
    return model;
}

/* One message that names the file, says PHRASE, and is fit for a terminal. */
static void check_refused(const char *path, const char *phrase) {
    Model *model = open_model(path);
    ck_assert_msg(model == NULL, "%s was accepted", path);
    ck_assert_uint_eq(diags_count(diags), 1);
    Text message = diags_at(diags, 0)->message;
    ck_assert_ptr_nonnull(strstr(message.data, strrchr(path, '/') + 1));
    ck_assert_msg(strstr(message.data, phrase) != NULL, "'%s' lacks '%s'", message.data, phrase);
    ck_assert_uint_lt(message.size, 8192);
    for (size_t i = 0; i < message.size; i++)
        ck_assert((unsigned char)message.data[i] >= 0x20 && message.data[i] != 0x7F);
}

/* `{"t":{"dtype":"F32","shape":SHAPE,"data_offsets":OFFSETS}}` */
#define ENTRY(name, dtype, shape, offsets)                                                         \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define TENSOR(dtype, shape, offsets) "{" ENTRY("t", dtype, shape, offsets) "}"
#define ONE                           TENSOR("F32", "[2,2]", "[0,16]")
#define T                             ENTRY("t", "F32", "[2,2]", "[0,16]")

typedef struct Refused {
    const char *rule;
    Text header;
    size_t data_size;
    const char *phrase;
} Refused;

#define CASE(rule, header, data_size, phrase)                                                      \
    { rule, {header, sizeof header - 1}, data_size, phrase }

static const Refused bad_headers[] = {
    CASE("F4", "{\"a\xFF\":1}", 0, "no UTF-8"),
    CASE("F4", "{\"\xC0\x80\":1}", 0, "no UTF-8"),
    CASE("F4", "{\"\xED\xA0\x80\":1}", 0, "no UTF-8"),
    CASE("F4", "{\"\xF4\x90\x80\x80\":1}", 0, "no UTF-8"),
    CASE("F4", "{\"\xE2\x82\":1}", 0, "no UTF-8"),
    CASE("F4", "{}\xFF", 0, "begins nothing"),
    CASE("F5", "   ", 0, "must be a JSON object"),
    CASE("F5", "[]", 0, "must be a JSON object, and begins with '['"),
    CASE("F5", "null", 0, "must be a JSON object"),
    CASE("F8", ONE "\0", 16, "a NUL byte"),
    CASE("F8", ONE "\x0C", 16, "begins nothing"),
    CASE("F8", ONE "{}", 16, "nothing but spaces"),
    CASE("J1", "{" T ",}", 16, "a name in double quotes"),
    CASE("J1", "{" T, 16, "it ends where ',' or '}' should stand"),
    CASE("J1", "{" T "]", 16, "expected ',' or '}'"),
    CASE("J1", "{\"t\" {}}", 0, "expected ':'"),
    CASE("J1", "{/**/" T "}", 16, "a comment"),
    CASE("J1", "{'t':1}", 0, "a single quote"),
    CASE("J1", "{t:1}", 0, "a bare word"),
    CASE("J1", "{\"t\":{\"x\":NaN}}", 0, "a bare word"),
    CASE("J1", "{\"t\":{\"x\":[1,]}}", 0, "a value"),
    CASE("J1", "{\"t\":{\"x\":[1}}", 0, "',' or ']'"),
    CASE("J1", "{\"t\":{\"x\":{\"y\"}}}", 0, "expected ':'"),
    CASE("J1", "{\"a\nb\":1}", 0, "a control character"),
    CASE("J1", "{\"t", 0, "a string that does not end"),
    CASE("J4", "{\"\\x41\":1}", 0, "an escape that JSON does not know"),
    CASE("J4", "{\"\\u12G4\":1}", 0, "without four hexadecimal digits"),
    CASE("J4", "{\"\\ud83d\":1}", 0, "half of a surrogate pair"),
    CASE("J4", "{\"\\ude00\\ud83d\":1}", 0, "half of a surrogate pair"),
    CASE("J4", "{\"\\", 0, "a backslash that escapes nothing"),
    CASE("J7", "\xEF\xBB\xBF" ONE, 16, "a byte order mark"),
    CASE("N1", TENSOR("F32", "[-4]", "[0,16]"), 16, "whole numbers from 0"),
    CASE("N1", TENSOR("F32", "[-0]", "[0,16]"), 16, "whole numbers from 0"),
    CASE("N1", TENSOR("F32", "[4.0]", "[0,16]"), 16, "whole numbers from 0"),
    CASE("N1", TENSOR("F32", "[4e0]", "[0,16]"), 16, "whole numbers from 0"),
    CASE("N1", TENSOR("F32", "[\"4\"]", "[0,16]"), 16, "not \"4\""),
    CASE("N1", TENSOR("F32", "[04]", "[0,16]"), 16, "a leading zero"),
    CASE("N1", TENSOR("F32", "[18446744073709551616]", "[0,16]"), 16, "above 2^64 - 1"),
    CASE("N1", TENSOR("F32", "[4]", "[0.0,16]"), 16, "whole numbers from 0"),
    CASE("E1", "{\"t\":[\"F32\",[4],[0,16]]}", 16, "must be an object"),
    CASE("E1", "{\"t\":null}", 0, "must be an object"),
    CASE("E1", "{\"t\":{}}", 0, "has no 'dtype'"),
    CASE("E1", "{\"t\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "has no 'shape'"),
    CASE("E1", "{\"t\":{\"dtype\":\"F32\",\"shape\":[]}}", 4, "has no 'data_offsets'"),
    CASE("E1", "{\"t\":{\"dtype\":{\"F32\":null}}}", 4, "its dtype must be a string"),
    CASE("E1", TENSOR("F32", "4", "[0,16]"), 16, "its shape must be an array"),
    CASE("E1", TENSOR("F32", "[4]", "[0]"), 16, "1 data_offsets, not two"),
    CASE("E1", TENSOR("F32", "[4]", "[0,16,16]"), 16, "3 data_offsets, not two"),
    CASE("E2", "{\"t\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 0, "the field 'dtype' twice"),
    CASE("E2", "{\"t\":{\"shape\":[],\"sh\\u0061pe\":[]}}", 0, "the field 'shape' twice"),
    CASE("E2", "{\"t\":{\"data_offsets\":[0,0],\"data_offsets\":[0,0]}}", 0,
         "'data_offsets' twice"),
    CASE("K1", "{" T "," T "}", 16, "tensor 't' twice"),
    CASE("K1", "{" T "," ENTRY("\\u0074", "F32", "[2,2]", "[16,32]") "}", 32, "tensor 't' twice"),
    CASE("K2", "{\"__metadata__\":{},\"__metadata__\":{}}", 0, "'__metadata__' twice"),
    CASE("D1", TENSOR("f32", "[2,2]", "[0,16]"), 16, "unknown dtype 'f32'"),
    CASE("D1", TENSOR("F32\\u0000", "[0]", "[0,0]"), 0, "unknown dtype 'F32\\x00'"),
    CASE("D3", TENSOR("F4", "[3]", "[0,2]"), 2, "fill no whole bytes"),
    CASE("D3", TENSOR("F6_E2M3", "[2]", "[0,2]"), 2, "fill no whole bytes"),
    CASE("L1", TENSOR("F32", "[1]", "[4,8]"), 8, "there is a hole"),
    CASE("L1", "{" T "," ENTRY("u", "F32", "[1]", "[12,16]") "}", 16, "they overlap"),
    CASE("L1", "{" T "," ENTRY("u", "F32", "[2,2]", "[0,16]") "}", 16, "they overlap"),
    CASE("L1", "{" T "," ENTRY("u", "F32", "[0]", "[8,8]") "}", 16, "they overlap"),
    CASE("L2", TENSOR("F32", "[2,2]", "[16,0]"), 16, "ends before it begins"),
    CASE("L3", TENSOR("F16", "[2,2]", "[0,16]"), 16, "of shape [2, 2] and dtype F16 is 8 bytes"),
    CASE("L3", TENSOR("F32", "[]", "[0,0]"), 0, "is 4 bytes long"),
    CASE("L3", TENSOR("F32", "[0,4]", "[0,16]"), 16, "is 0 bytes long"),
    CASE("L4", TENSOR("F32", "[4294967296,4294967296]", "[0,0]"), 0, "larger than 64 bits"),
    CASE("L4", TENSOR("F32", "[4611686018427387905]", "[0,4]"), 4, "larger than 64 bits"),
    CASE("L6", ONE, 15, "cut short"),
    CASE("L6", ONE, 17, "behind the last tensor are bytes that belong to none: 1"),
    CASE("L6", "{}", 4, "belong to none: 4"),
    CASE("M1", "{\"__metadata__\":[]}", 0, "'__metadata__' must be an object"),
    CASE("M1", "{\"__metadata__\":{\"k\":1}}", 0, "metadata 'k' must be a string, not 1"),
    CASE("M1", "{\"__metadata__\":{\"k\":null}}", 0, "metadata 'k' must be a string"),
    CASE("T1", "{\"\\u001b[31m\\u0007\":1}", 0, "tensor '\\x1b[31m\\x07'"),
};

enum { N_BAD_HEADERS = sizeof bad_headers / sizeof *bad_headers };

START_TEST(a_bad_header_is_refused) {
    const Refused *refused = &bad_headers[_i];
    check_refused(scratch_model("bad.safetensors", refused->header, refused->data_size),
                  refused->phrase);
}
END_TEST

static const Refused bad_files[] = {
    CASE("F1", "", 0, "is empty"),
    CASE("F1", "\1\2\3", 0, "has 3 bytes"),
    CASE("F2", "\x01\xE1\xF5\x05\0\0\0\0{}", 0, "100000001 bytes"),
    CASE("F2", "\x02\0\0\0\1\0\0\0{}", 0, "4294967298 bytes"),
    CASE("F2", "\xF8\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}", 0, "18446744073709551608 bytes"),
    CASE("F3", "\3\0\0\0\0\0\0\0{}", 0, "cut short"),
    CASE("F5", "\0\0\0\0\0\0\0\0", 0, "its header is empty"),
    CASE("F5", "\0\0\0\0\0\0\0\0\0\0\0\0", 0, "begins with zeros"),
    CASE("F2", "version https://git-lfs.github.com/spec/v1\n", 0, "Git LFS pointer"),
    CASE("F2", "<!DOCTYPE html><html>", 0, "HTML page"),
    CASE("F2", "Invalid username or password.", 0, "a text that begins with \"Invalid username"),
    CASE("F2", ONE, 0, "a text that begins with"),
    CASE("F2", "PK\3\4\0\0\10\10\0\0", 0, "a ZIP archive"),
    CASE("F2", "\x80\2}q\0(X\1\0\0\0", 0, "a Python pickle"),
    CASE("F2", "GGUF\3\0\0\0\0\0", 0, "a GGUF model"),
    CASE("F2", "\x89HDF\r\n\x1a\n\0\0", 0, "an HDF5 file"),
    CASE("F2", "\x93NUMPY\1\0v\0{", 0, "a NumPy array"),
    CASE("F3", "\x1F\x8B\x08\0\0\0\0\0\0\0", 0, "a gzip archive"),
    CASE("F2", "ggml\1\0\0\0\0\0", 0, "a GGML model"),
    CASE("F2", "PK\5\6\0\0\0\0\0\0", 0, "an empty ZIP archive"),
    CASE("F2", "\x28\xb5\x2f\xfd\4\0\0\0\0\0", 0, "a Zstandard archive"),
    CASE("F2", "\xfd\067zXZ\0\0\4\0\0", 0, "an XZ archive"),
    CASE("F2", "7z\xbc\xaf\x27\x1c\0\4\0\0", 0, "a 7-Zip archive"),
    CASE("F2", "Rar!\x1a\7\1\0\0\0", 0, "a RAR archive"),
    CASE("F2", "\x89PNG\r\n\x1a\n\0\0", 0, "a PNG image"),
    CASE("F2", "\xff\xd8\xff\xe0\0\x10JFIF", 0, "a JPEG image"),
    CASE("F2", "\x7f\105LF\2\1\1\0\0\0", 0, "a program (ELF)"),
    CASE("F2", "<?xml version=\"1.0\"?><Error>", 0, "an XML text, perhaps a server's refusal"),
    CASE("F2", "<html><body>Sign in", 0, "an HTML page: the download failed, or needed a login"),
    CASE("F2", "<!doctype html><html>", 0, "an HTML page: the download failed, or needed a login"),
};

enum { N_BAD_FILES = sizeof bad_files / sizeof *bad_files };

START_TEST(a_foreign_file_is_named) {
    check_refused(scratch_put("bad.safetensors", bad_files[_i].header), bad_files[_i].phrase);
}
END_TEST

START_TEST(a_model_reads_as_it_is) {
    Model *model = opened(scratch_model(
        "m.safetensors",
        TEXT("\t{ \"b\\n\\u00e9\\ud83d\\ude00\\u0000\" : "
             "{\"data_offsets\":[4,10],\"x\":[{\"y\":[]},{},1e9,true],"
             "\"dtype\":\"BF16\",\"shape\":[3,1]},"
             "\"__metadata__\":{\"k\":\"1\",\"q\":\"\\\"\\\\\\/\\b\\f\\r\\t\",\"k\":\"2\"}," ENTRY(
                 "\xC3\xA9", "U8", "[4]", "[0,4]") "," ENTRY("", "I64", "[2,0]",
                                                             "[10,10]") "}  \r\n"),
        10));
    ck_assert_uint_eq(model->n_tensors, 3);
    ck_assert_uint_eq(model->bytes, 10);
    const Tensor *first = &model->tensors[0], *second = &model->tensors[1];
    ck_assert(text_equal(first->name, TEXT("\xC3\xA9")));
    ck_assert(text_equal(second->name, TEXT("b\n\xC3\xA9\xF0\x9F\x98\x80\0")));
    ck_assert_int_eq(second->dtype, DTYPE_BF16);
    ck_assert_uint_eq(second->shape.rank, 2);
    ck_assert_uint_eq(second->shape.dims[0], 3);
    ck_assert_uint_eq(second->count, 3);
    ck_assert_uint_eq(second->offset, 4);
    ck_assert_mem_eq(second->data, "\4\5\6\7\10\11", 6);
    ck_assert_ptr_eq(model_find(model, TEXT("")), &model->tensors[2]);
    ck_assert_ptr_nonnull(model->tensors[2].data);
    ck_assert_ptr_null(model_find(model, TEXT("e\xCC\x81")));
    ck_assert(text_equal(model_metadata(model, TEXT("k")), TEXT("2")));
    ck_assert(text_equal(model_metadata(model, TEXT("q")), TEXT("\"\\/\b\f\r\t")));
    ck_assert_ptr_null(model_metadata(model, TEXT("none")).data);
    model_will_need(second, 0, 6);
    model_done_with(second, 0, 6);
    ck_assert_mem_eq(second->data, "\4\5\6\7\10\11", 6);
    model_close(model);
}
END_TEST

/* M2, and the smallest of all. */
START_TEST(empty_models_are_models) {
    Model *model = opened(scratch_model("m.safetensors", TEXT("{\"__metadata__\":null}"), 0));
    ck_assert_uint_eq(model->n_tensors, 0);
    model_close(model);
    model_close(opened(scratch_model("m.safetensors", TEXT("{}"), 0)));
}
END_TEST

START_TEST(every_dtype_reads) {
    const DTypeInfo *info = &dtype_info[_i];
    Arena arena = {0};
    Text header =
        text_format(&arena, TENSOR("%s", "[1,8]", "[0,%u]"), info->file_name.data, info->bits);
    Model *model = opened(scratch_model("m.safetensors", header, info->bits));
    ck_assert_int_eq(model->tensors[0].dtype, _i);
    model_close(model);
    ck_assert_int_eq(dtype_from_name(info->name), _i);
    ck_assert_int_eq(dtype_from_name(info->torch_name), _i);
    arena_free(&arena);
}
END_TEST

static const char *nested_model(unsigned depth) {
    Builder header = {0};
    builder_add(&header,
                TEXT("{\"t\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0],\"x\":"));
    for (unsigned i = 0; i < depth; i++)
        builder_add(&header, i % 2 == 0 ? TEXT("[") : TEXT("{\"x\":"));
    builder_add(&header, TEXT("0"));
    for (unsigned i = depth; i-- > 0;)
        builder_add(&header, i % 2 == 0 ? TEXT("]") : TEXT("}"));
    builder_add(&header, TEXT("}}"));
    const char *path = scratch_model("deep.safetensors", builder_view(&header), 0);
    builder_free(&header);
    return path;
}

START_TEST(nesting_has_a_limit) {
    model_close(opened(nested_model(HEADER_NESTING_LIMIT)));
    check_refused(nested_model(HEADER_NESTING_LIMIT + 1), "more than 128 deep");
    check_refused(nested_model(1000000), "more than 128 deep");
}
END_TEST

START_TEST(dimensions_have_a_limit) {
    model_close(opened(scratch_model(
        "m.safetensors", TEXT(TENSOR("U8", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,1]")), 1)));
    check_refused(scratch_model("m.safetensors",
                                TEXT(TENSOR("U8", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,1]")),
                                1),
                  "17 dimensions; mecha reads up to 16");
}
END_TEST

START_TEST(long_paths_are_named_by_their_end) {
    char name[240];
    memset(name, 'n', sizeof name);
    strcpy(name + 200, "end.safetensors");
    Model *model = open_model(scratch_path(name));
    ck_assert_ptr_null(model);
    ck_assert_ptr_nonnull(
        strstr(diags_at(diags, 0)->message.data, "nnnend.safetensors: can't be opened"));
}
END_TEST

START_TEST(only_regular_files_are_opened) {
    const char *fifo = scratch_path("fifo.safetensors"), *loop = scratch_path("loop.safetensors");
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    check_refused(fifo, "is a FIFO");
    ck_assert_int_eq(symlink("loop.safetensors", loop), 0);
    check_refused(loop, "symbolic links");
    check_refused("/dev/null", "is a device");
    check_refused(scratch_path("none.safetensors"), "No such file");
    ck_assert_ptr_null(model_open(TEXT("a\0b"), diags, SPAN_NONE));
}
END_TEST

START_TEST(models_need_no_descriptors) {
    const char *path = scratch_model("m.safetensors", TEXT(ONE), 16);
    struct rlimit limit = {16, 16};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    Model *models[50];
    for (int i = 0; i < 50; i++)
        models[i] = opened(path);
    for (int i = 0; i < 50; i++)
        model_close(models[i]);
}
END_TEST

START_TEST(models_know_their_files) {
    const char *path = scratch_model("m.safetensors", TEXT(ONE), 16);
    const char *other = scratch_model("n.safetensors", TEXT(ONE), 16);
    ck_assert_int_eq(link(path, scratch_path("hard")), 0);
    Model *model = opened(path);
    ck_assert(model_is_file(model, scratch_path("hard")));
    ck_assert(!model_is_file(model, other));
    model_close(model);
}
END_TEST

/* Names made to collide under h * 31 + c, the hash of many a library. */
START_TEST(many_names_take_linear_time) {
    enum { COUNT = 1 << 16 };
    Builder header = {0};
    for (unsigned i = 0; i < COUNT; i++) {
        builder_add(&header, i == 0 ? TEXT("{\"") : TEXT(",\""));
        for (int bit = 0; bit < 16; bit++)
            builder_add(&header, i >> bit & 1 ? TEXT("BB") : TEXT("Aa"));
        builder_format(&header, "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%u,%u]}",
                       COUNT - 1 - i, COUNT - i);
    }
    builder_char(&header, '}');
    Model *model = opened(scratch_model("m.safetensors", builder_view(&header), COUNT));
    ck_assert_uint_eq(model->n_tensors, COUNT);
    ck_assert_ptr_eq(model_find(model, TEXT("AaAaAaAaAaAaAaAaAaAaAaAaAaAaAaAa")),
                     &model->tensors[COUNT - 1]);
    model_close(model);
    builder_free(&header);
}
END_TEST

/* A shard with one tensor of two bytes. */
static void shard(const char *name, const char *tensor) {
    Arena arena = {0};
    Text header = text_format(
        &arena, "{\"%s\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", tensor);
    scratch_model(name, header, 2);
    arena_free(&arena);
}

#define INDEX "model.safetensors.index.json"

static void check_bad_index(Text index, const char *phrase) {
    Model *model = open_model(scratch_put(INDEX, index));
    ck_assert_ptr_null(model);
    ck_assert_uint_eq(diags_count(diags), 1);
    const char *message = diags_at(diags, 0)->message.data;
    ck_assert_msg(strstr(message, phrase) != NULL, "'%s' lacks '%s'", message, phrase);
}

START_TEST(shards_make_one_model) {
    shard("1.safetensors", "a");
    shard("2.safetensors", "b");
    const char *index = scratch_put(
        INDEX, TEXT("{\"metadata\":{\"total_size\":1},\"weight_map\":{\"a\":\"1.safetensors\","
                    "\"b\":\"2.safetensors\"}}"));
    Model *model = opened(index);
    ck_assert_uint_eq(model->n_tensors, 2);
    ck_assert_uint_eq(model->bytes, 4);
    ck_assert_ptr_eq(model_find(model, TEXT("b")), &model->tensors[1]);
    ck_assert(model_is_file(model, scratch_path("2.safetensors")));
    model_close(model);
    model = opened(scratch_path("."));
    ck_assert_uint_eq(model->n_tensors, 2);
    model_close(model);
}
END_TEST

START_TEST(an_index_agrees_with_its_shards) {
    scratch_model(
        "1.safetensors",
        TEXT("{" ENTRY("a", "U8", "[2]", "[0,2]") "," ENTRY("b", "U8", "[1]", "[2,3]") "}"), 3);
    shard("2.safetensors", "b");
    check_bad_index(TEXT("{\"weight_map\":{\"a\":\"1.safetensors\",\"b\":\"2.safetensors\"}}"),
                    "holds the tensor 'b', which the index of the shards puts into "
                    "'2.safetensors'");
}
END_TEST

START_TEST(bad_indexes_are_refused) {
    shard("1.safetensors", "a");
    check_bad_index(TEXT(""), "no well-formed index");
    check_bad_index(TEXT("[]"), "no index of shards");
    check_bad_index(TEXT("{\"weight_map\":[]}"), "'weight_map'");
    check_bad_index(TEXT("{\"weight_map\":{\"a\":1}}"), "the name of a file");
    check_bad_index(TEXT("{\"weight_map\":{\"a\":\"1.safetensors\",\"a\":\"1.safetensors\"}}"),
                    "duplicate");
    check_bad_index(TEXT("{\"weight_map\":{\"a\":\"../1.safetensors\"}}"), "no plain file name");
    check_bad_index(TEXT("{\"weight_map\":{\"a\":\"/1.safetensors\"}}"), "no plain file name");
    check_bad_index(TEXT("{\"weight_map\":{\"a\":\"x\\\\1.safetensors\"}}"), "no plain file name");
    check_bad_index(TEXT("{\"weight_map\":{\"a\":\"..\"}}"), "no plain file name");
    check_bad_index(TEXT("{\"weight_map\":{\"a\":\"\"}}"), "no plain file name");
    check_bad_index(TEXT("{\"weight_map\":{\"a\":\"1.safetensors\\u0000\"}}"), "no well-formed");
    check_bad_index(TEXT("{\"weight_map\":{\"a\":\"3.safetensors\"}}"),
                    "the shard '3.safetensors' is missing; the index names it");
    check_bad_index(TEXT("{\"weight_map\":{\"a\":\"1.safetensors\",\"c\":\"1.safetensors\"}}"),
                    "tensor 'c' is not in the shard '1.safetensors'");
    scratch_put("2.safetensors", TEXT(""));
    check_bad_index(TEXT("{\"weight_map\":{\"a\":\"1.safetensors\",\"b\":\"2.safetensors\"}}"),
                    "2.safetensors: the file is empty");
    ck_assert_int_eq(mkfifo(scratch_path("4.safetensors"), 0600), 0);
    check_bad_index(TEXT("{\"weight_map\":{\"a\":\"4.safetensors\"}}"), "4.safetensors: is a FIFO");
    ck_assert_int_eq(unlink(scratch_path(INDEX)), 0);
    ck_assert_int_eq(mkfifo(scratch_path(INDEX), 0600), 0);
    check_refused(scratch_path(INDEX), "is a FIFO");
}
END_TEST

START_TEST(an_index_has_a_limit) {
    Builder index = {0};
    for (size_t i = 0; i <= 16 << 20; i++)
        builder_char(&index, ' ');
    check_bad_index(builder_view(&index), "is too large: 16777216 bytes are allowed");
    builder_free(&index);
}
END_TEST

static void check_bad_folder(const char *phrase) {
    Model *model = open_model(scratch_path("."));
    ck_assert_ptr_null(model);
    ck_assert_uint_eq(diags_count(diags), 1);
    const char *message = diags_at(diags, 0)->message.data;
    ck_assert_msg(strstr(message, phrase) != NULL, "'%s' lacks '%s'", message, phrase);
}

START_TEST(folders_hold_one_model) {
    check_bad_folder("holds no .safetensors file");
    shard("m-00001-of-00002.safetensors", "a");
    check_bad_folder("the shard 'm-00002-of-00002.safetensors' is missing");
    shard("m-00002-of-00002.safetensors", "b");
    Model *model = opened(scratch_path("."));
    ck_assert_uint_eq(model->n_tensors, 2);
    model_close(model);
    shard("m-00002-of-00002.safetensors", "a");
    check_bad_folder("tensor 'a' is in another shard as well");
    shard("n.safetensors", "b");
    check_bad_folder("several models");
    ck_assert_int_eq(unlink(scratch_path("n.safetensors")), 0);
    ck_assert_int_eq(rename(scratch_path("m-00002-of-00002.safetensors"),
                            scratch_path("m-00003-of-00002.safetensors")),
                     0);
    check_bad_folder("the shard 'm-00002-of-00002.safetensors' is missing");
}
END_TEST

/* As diffusers saves a pipeline. */
START_TEST(parts_of_a_folder_are_named) {
    ck_assert_int_eq(mkdir(scratch_path("unet"), 0777), 0);
    check_bad_folder("holds no .safetensors file");
    shard("unet/diffusion_pytorch_model.safetensors", "a");
    check_bad_folder("is a folder of parts, each a model of its own: name one, as '");
    model_close(opened(scratch_path("unet")));
}
END_TEST

static const char *cleaned;

static bool leave_mark(void) {
    close(open(cleaned, O_CREAT | O_WRONLY, 0600));
    return false;
}

/* Reads a model that is cut after it was mapped; standard error goes to a pipe. */
static void read_cut_model(const char *path, int error_output) {
    Model *model = opened(path);
    reader_guard_maps(leave_mark);
    dup2(error_output, STDERR_FILENO);
    if (truncate(path, 100) == 0)
        _exit(model->tensors[0].data[8192] == 0 ? 2 : 3);
}

START_TEST(a_shrinking_file_is_an_error) {
    const char *path =
        scratch_model("cut.safetensors", TEXT(TENSOR("U8", "[10000]", "[0,10000]")), 10000);
    cleaned = scratch_path("cleaned");
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0)
        read_cut_model(path, ends[1]);
    close(ends[1]);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 1);
    char message[1000] = "";
    ck_assert_int_gt(read(ends[0], message, sizeof message - 1), 0);
    close(ends[0]);
    ck_assert_ptr_nonnull(strstr(message, "/cut.safetensors: can't be read any more"));
    ck_assert_int_eq(access(cleaned, F_OK), 0);
}
END_TEST

Suite *reader_suite(void) {
    Suite *suite = suite_create("reader");
    TCase *tests = tcase_create("reader");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, a_bad_header_is_refused, 0, N_BAD_HEADERS);
    tcase_add_loop_test(tests, a_foreign_file_is_named, 0, N_BAD_FILES);
    tcase_add_test(tests, a_model_reads_as_it_is);
    tcase_add_test(tests, empty_models_are_models);
    tcase_add_loop_test(tests, every_dtype_reads, 0, DTYPE_COUNT);
    tcase_add_test(tests, nesting_has_a_limit);
    tcase_add_test(tests, dimensions_have_a_limit);
    tcase_add_test(tests, long_paths_are_named_by_their_end);
    tcase_add_test(tests, only_regular_files_are_opened);
    tcase_add_test(tests, models_need_no_descriptors);
    tcase_add_test(tests, models_know_their_files);
    tcase_add_test(tests, many_names_take_linear_time);
    tcase_add_test(tests, shards_make_one_model);
    tcase_add_test(tests, an_index_agrees_with_its_shards);
    tcase_add_test(tests, bad_indexes_are_refused);
    tcase_add_test(tests, an_index_has_a_limit);
    tcase_add_test(tests, folders_hold_one_model);
    tcase_add_test(tests, parts_of_a_folder_are_named);
    tcase_add_test(tests, a_shrinking_file_is_an_error);
    suite_add_tcase(suite, tests);
    return suite;
}
