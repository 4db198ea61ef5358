/* Files that are written whole or not at all. */
#include "scratch.h"
#include "tests.h"

#include "base/file.h"
#include "tensor/journal.h"
#include "tensor/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
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

static const MetadataEntry metadata[] = {{{"format", 6}, {"pt", 2}},
                                         {{"say \"\n\0", 7}, {"h\xC3\xA9 0000", 8}}};

enum { N_TENSORS = 4 };

/* Four tensors of 3, 8, 0 and 6 bytes. */
static void make_tensors(OutputTensor *tensors) {
    OutputTensor made[N_TENSORS] = {
        {.name = {"a", 1}, .dtype = DTYPE_U8, .shape = {1, {3}}},
        {.name = {"b\n\"\\", 4}, .dtype = DTYPE_F32, .shape = {2, {2, 1}}},
        {.name = {"", 0}, .dtype = DTYPE_I64, .shape = {2, {0, 7}}},
        {.name = {"d", 1}, .dtype = DTYPE_BF16, .shape = {1, {3}}},
    };
    memcpy(tensors, made, sizeof made);
}

static const char *const contents[N_TENSORS] = {"abc", "12345678", "", "defghi"};

static const WriterOptions plain = {.metadata = metadata, .n_metadata = 2};

static Writer *opened(const char *path, OutputTensor *tensors, const WriterOptions *options) {
    make_tensors(tensors);
    Writer *writer = writer_open(text_from(path), tensors, N_TENSORS, options, diags, SPAN_NONE);
    ck_assert_msg(writer != NULL, "%s",
                  diags_count(diags) > 0 ? diags_at(diags, 0)->message.data : "");
    return writer;
}

static void write_all(Writer *writer, const OutputTensor *tensors) {
    for (size_t i = 0; i < N_TENSORS; i++)
        ck_assert(writer_write(writer, tensors[i].offset, contents[i], tensors[i].bytes));
}

static void write_model(const char *path, const WriterOptions *options) {
    diags_clear(diags);
    OutputTensor tensors[N_TENSORS];
    Writer *writer = opened(path, tensors, options);
    write_all(writer, tensors);
    ck_assert(writer_finish(writer, diags, SPAN_NONE));
    ck_assert_uint_eq(diags_count(diags), 0);
}

static Model *read_back(const char *path) {
    Model *model = model_open(text_from(path), diags, SPAN_NONE);
    ck_assert_msg(model != NULL, "%s",
                  diags_count(diags) > 0 ? diags_at(diags, 0)->message.data : "");
    return model;
}

static void check_tensor(const Model *model, size_t i) {
    OutputTensor tensors[N_TENSORS];
    make_tensors(tensors);
    const Tensor *tensor = model_find(model, tensors[i].name);
    ck_assert_ptr_nonnull(tensor);
    ck_assert_int_eq(tensor->dtype, tensors[i].dtype);
    ck_assert(shape_equal(&tensor->shape, &tensors[i].shape));
    ck_assert_uint_eq(tensor->bytes, strlen(contents[i]));
    ck_assert_mem_eq(tensor->data, contents[i], tensor->bytes);
}

START_TEST(what_is_written_reads_back) {
    const char *path = scratch_path("out.safetensors");
    write_model(path, &plain);
    Model *model = read_back(path);
    ck_assert_uint_eq(model->n_tensors, N_TENSORS);
    for (size_t i = 0; i < N_TENSORS; i++)
        check_tensor(model, i);
    ck_assert_uint_eq(model->n_metadata, 2);
    for (size_t i = 0; i < 2; i++) {
        ck_assert(text_equal(model->metadata[i].key, metadata[i].key));
        ck_assert(text_equal(model->metadata[i].value, metadata[i].value));
    }
    model_close(model);
    ck_assert_str_eq(scratch_listing(), "out.safetensors ");
}
END_TEST

START_TEST(data_begin_aligned_and_in_order) {
    OutputTensor tensors[N_TENSORS];
    make_tensors(tensors);
    for (size_t n = 0; n <= N_TENSORS; n++) {
        size_t header_size;
        uint64_t size = writer_layout(tensors, n, metadata, n % 3, &header_size);
        ck_assert_uint_eq(header_size % 8, 0);
        uint64_t end = header_size;
        for (size_t i = 0; i < n; i++) {
            ck_assert_uint_eq(tensors[i].offset, end);
            end += tensors[i].bytes;
        }
        ck_assert_uint_eq(size, end);
    }
}
END_TEST

/* Every choice of dropped tensors. */
START_TEST(dropped_tensors_leave_no_hole) {
    const char *path = scratch_path("out.safetensors");
    OutputTensor tensors[N_TENSORS];
    Writer *writer = opened(path, tensors, &plain);
    for (size_t i = 0; i < N_TENSORS; i++) {
        tensors[i].dropped = _i >> i & 1;
        if (!tensors[i].dropped)
            ck_assert(writer_write(writer, tensors[i].offset, contents[i], tensors[i].bytes));
    }
    ck_assert(writer_finish(writer, diags, SPAN_NONE));
    Model *model = read_back(path);
    for (size_t i = 0; i < N_TENSORS; i++)
        if (_i >> i & 1)
            ck_assert_ptr_null(model_find(model, tensors[i].name));
        else
            check_tensor(model, i);
    model_close(model);
}
END_TEST

/* More than one step of the move, down by an odd distance. */
START_TEST(large_tensors_move_down) {
    enum { LARGE = 3000000 };
    OutputTensor tensors[] = {{.name = {"a", 1}, .dtype = DTYPE_U8, .shape = {1, {5}}},
                              {.name = {"b", 1}, .dtype = DTYPE_U8, .shape = {1, {LARGE}}}};
    unsigned char *data = memory_grow(NULL, LARGE);
    for (size_t i = 0; i < LARGE; i++)
        data[i] = (unsigned char)(i * 7 + i / 1000);
    const char *path = scratch_path("out.safetensors");
    Writer *writer = writer_open(text_from(path), tensors, 2, &plain, diags, SPAN_NONE);
    ck_assert(writer_write(writer, tensors[1].offset, data, LARGE));
    tensors[0].dropped = true;
    ck_assert(writer_finish(writer, diags, SPAN_NONE));
    Model *model = read_back(path);
    ck_assert_mem_eq(model->tensors[0].data, data, LARGE);
    model_close(model);
    free(data);
}
END_TEST

START_TEST(metadata_can_be_patched) {
    const char *path = scratch_path("out.safetensors");
    OutputTensor tensors[N_TENSORS];
    Writer *writer = opened(path, tensors, &plain);
    write_all(writer, tensors);
    writer_patch_metadata(writer, 1, TEXT("12345678"));
    ck_assert(writer_finish(writer, diags, SPAN_NONE));
    Model *model = read_back(path);
    ck_assert(text_equal(model_metadata(model, metadata[1].key), TEXT("12345678")));
    check_tensor(model, 3);
    model_close(model);
}
END_TEST

START_TEST(giving_up_leaves_nothing) {
    const char *path = scratch_put("out.safetensors", TEXT("\2\0\0\0\0\0\0\0{}"));
    OutputTensor tensors[N_TENSORS];
    writer_abandon(opened(path, tensors, &plain));
    ck_assert_str_eq(scratch_listing(), "out.safetensors ");
    Writer *writer = opened(path, tensors, &plain);
    writer_remove_temporaries();
    ck_assert_str_eq(scratch_listing(), "out.safetensors ");
    write_all(writer, tensors);
    ck_assert(!writer_finish(writer, diags, SPAN_NONE));
    model_close(read_back(path));
    ck_assert_str_eq(scratch_listing(), "out.safetensors ");
}
END_TEST

START_TEST(stale_temporaries_are_removed) {
    scratch_put(".out.mecha-aaaaaa.tmp", TEXT("stale"));
    const char *held = scratch_put(".out.mecha-bbbbbb.tmp", TEXT("held"));
    scratch_put(".out.mecha-longer-name.tmp", TEXT("not ours"));
    scratch_put(".other.mecha-aaaaaa.tmp", TEXT("of another output"));
    int file = open(held, O_RDONLY);
    ck_assert_int_eq(flock(file, LOCK_EX), 0);
    write_model(scratch_path("out"), &plain);
    ck_assert_str_eq(scratch_listing(), ".other.mecha-aaaaaa.tmp .out.mecha-bbbbbb.tmp "
                                        ".out.mecha-longer-name.tmp out ");
    close(file);
}
END_TEST

START_TEST(the_old_file_keeps_mode_and_links) {
    const char *path = scratch_path("real");
    write_model(path, &plain);
    ck_assert_int_eq(chmod(path, 0640), 0);
    ck_assert_int_eq(symlink("real", scratch_path("link")), 0);
    ck_assert_int_eq(symlink("link", scratch_path("out")), 0);
    write_model(scratch_path("out"), &plain);
    struct stat status;
    ck_assert_int_eq(lstat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode, S_IFREG | 0640);
    ck_assert_int_eq(lstat(scratch_path("out"), &status), 0);
    ck_assert(S_ISLNK(status.st_mode));
    ck_assert_int_eq(unlink(path), 0);
    write_model(scratch_path("out"), &plain);
    model_close(read_back(path));
}
END_TEST

static void check_refused(const char *path, const WriterOptions *options, const char *phrase) {
    OutputTensor tensors[N_TENSORS];
    make_tensors(tensors);
    diags_clear(diags);
    ck_assert_ptr_null(writer_open(text_from(path), tensors, N_TENSORS, options, diags, SPAN_NONE));
    ck_assert_uint_eq(diags_count(diags), 1);
    const char *message = diags_at(diags, 0)->message.data;
    ck_assert_msg(strstr(message, phrase) != NULL, "'%s' lacks '%s'", message, phrase);
}

START_TEST(what_is_no_file_is_never_replaced) {
    WriterOptions force = plain;
    force.force = true;
    const char *fifo = scratch_path("fifo");
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    ck_assert_int_eq(symlink("/dev/null", scratch_path("null")), 0);
    ck_assert_int_eq(symlink("loop", scratch_path("loop")), 0);
    check_refused(fifo, &force, "is a FIFO");
    check_refused(scratch_path("null"), &force, "is a device");
    check_refused(scratch_path("loop"), &force, "symbolic links");
    check_refused("/tmp", &force, "is a folder");
    check_refused(scratch_path("new/"), &force, "names a folder");
    check_refused(scratch_path("none/out"), &force, "No such file");
    check_refused(scratch_path("fifo/out"), &force, "Not a directory");
    check_refused("", &force, "no name for a file");
    ck_assert_str_eq(scratch_listing(), "fifo loop null ");
}
END_TEST

START_TEST(foreign_files_need_force) {
    const char *path = scratch_put("notes.txt", TEXT("a thesis of ten years, the only copy"));
    check_refused(path, &plain, "exists and is no safetensors file");
    WriterOptions force = plain;
    force.force = true;
    write_model(path, &force);
    write_model(path, &plain);
    write_model(scratch_put("empty", TEXT("")), &plain);
}
END_TEST

START_TEST(inputs_need_force) {
    const char *path = scratch_path("m.safetensors");
    write_model(path, &plain);
    ck_assert_int_eq(link(path, scratch_path("hard")), 0);
    Model *model = read_back(path);
    const Model *inputs[] = {model};
    WriterOptions options = plain;
    options.inputs = inputs;
    options.n_inputs = 1;
    check_refused(path, &options, "is an input");
    check_refused(scratch_path("hard"), &options, "is an input");
    options.force = true;
    write_model(path, &options);
    check_tensor(model, 1); /* the map keeps the old file */
    model_close(model);
}
END_TEST

/* ---- going on from an earlier run ---- */

static const WriterOptions resuming = {
    .metadata = metadata, .n_metadata = 2, .resume = true, .identity = 7};

/* A run that ends after the first N tensors. */
static void leave_partial(const char *path, uint32_t n) {
    OutputTensor tensors[N_TENSORS];
    Writer *writer = opened(path, tensors, &resuming);
    for (uint32_t i = 0; i < n; i++) {
        ck_assert(writer_write(writer, tensors[i].offset, contents[i], tensors[i].bytes));
        writer_finished(writer, &tensors[i]);
    }
    writer_abandon(writer);
}

/* How many tensors the next run finds finished; it ends well. */
static unsigned go_on(const char *path, const WriterOptions *options) {
    OutputTensor tensors[N_TENSORS];
    Writer *writer = opened(path, tensors, options);
    unsigned found = 0;
    for (uint32_t i = 0; i < N_TENSORS; i++) {
        found += writer_has(writer, &tensors[i]);
        if (!writer_has(writer, &tensors[i]))
            ck_assert(writer_write(writer, tensors[i].offset, contents[i], tensors[i].bytes));
    }
    ck_assert(writer_finish(writer, diags, SPAN_NONE));
    Model *model = read_back(path);
    for (size_t i = 0; i < N_TENSORS; i++)
        check_tensor(model, i);
    model_close(model);
    ck_assert_str_eq(scratch_listing(), "out.safetensors ");
    return found;
}

START_TEST(finished_tensors_are_kept) {
    const char *path = scratch_path("out.safetensors");
    leave_partial(path, 2);
    ck_assert_str_eq(scratch_listing(), "out.safetensors.partial out.safetensors.partial.journal ");
    leave_partial(path, 3);
    ck_assert_uint_eq(go_on(path, &resuming), 3);
    ck_assert_uint_eq(diags_count(diags), 0);
}
END_TEST

START_TEST(nothing_finished_leaves_nothing) {
    leave_partial(scratch_path("out.safetensors"), 0);
    ck_assert_str_eq(scratch_listing(), "");
}
END_TEST

/* Flips a byte of a file. */
static void spoil(const char *path, long at) {
    FILE *stream = fopen(path, "r+b");
    ck_assert_ptr_nonnull(stream);
    fseek(stream, at, at < 0 ? SEEK_END : SEEK_SET);
    int byte = fgetc(stream);
    fseek(stream, -1, SEEK_CUR);
    fputc(byte ^ 1, stream);
    fclose(stream);
}

START_TEST(what_differs_from_its_hash_is_not_believed) {
    const char *path = scratch_path("out.safetensors");
    OutputTensor tensors[N_TENSORS];
    Writer *writer = opened(path, tensors, &resuming);
    writer_abandon(writer);
    leave_partial(path, 3);
    spoil(scratch_path("out.safetensors.partial"), (long)tensors[1].offset + 3);
    ck_assert_uint_eq(go_on(path, &resuming), 2);
}
END_TEST

/* What is read in steps is verified to its last byte. */
START_TEST(a_hash_covers_all_of_a_large_tensor) {
    enum { SIZE = (2 << 20) + 5 };
    int file = open(scratch_path("large"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(ftruncate(file, SIZE + 1), 0);
    uint64_t before, at_end, in_between, behind;
    ck_assert(journal_hash(file, 0, SIZE, &before));
    ck_assert_int_eq(pwrite(file, "x", 1, SIZE), 1);
    ck_assert(journal_hash(file, 0, SIZE, &behind));
    ck_assert_uint_eq(before, behind);
    ck_assert_int_eq(pwrite(file, "x", 1, SIZE - 1), 1);
    ck_assert(journal_hash(file, 0, SIZE, &at_end));
    ck_assert_uint_ne(before, at_end);
    ck_assert_int_eq(pwrite(file, "x", 1, (1 << 20) + 7), 1);
    ck_assert(journal_hash(file, 0, SIZE, &in_between));
    ck_assert_uint_ne(at_end, in_between);
    ck_assert(!journal_hash(file, 0, SIZE + 2, &behind));
    close(file);
    unlink(scratch_path("large"));
}
END_TEST

START_TEST(a_journal_that_was_cut_counts_as_far_as_it_goes) {
    const char *path = scratch_path("out.safetensors");
    leave_partial(path, 3);
    ck_assert_int_eq(truncate(scratch_path("out.safetensors.partial.journal"), 24 + 16 + 5), 0);
    ck_assert_uint_eq(go_on(path, &resuming), 1);
}
END_TEST

START_TEST(what_was_made_of_something_else_is_made_anew) {
    const char *path = scratch_path("out.safetensors");
    leave_partial(path, 3);
    WriterOptions other = resuming;
    other.identity++;
    ck_assert_uint_eq(go_on(path, &other), 0);
    ck_assert_uint_eq(diags_count(diags), 1);
    ck_assert_ptr_nonnull(strstr(diags_at(diags, 0)->message.data,
                                 "out.safetensors: the recipe, an input or an option has changed "
                                 "since this was interrupted; it is made from the start"));
}
END_TEST

START_TEST(what_is_larger_than_the_result_is_cut) {
    const char *path = scratch_path("out.safetensors");
    for (uint64_t i = 0; i < 2; i++) {
        leave_partial(path, 3);
        ck_assert_int_eq(truncate(scratch_path("out.safetensors.partial"), 1 << 20), 0);
        WriterOptions other = resuming;
        other.identity += i;
        ck_assert_uint_eq(go_on(path, &other), i ? 0 : 3);
    }
}
END_TEST

START_TEST(a_run_that_starts_afresh_removes_what_was_left) {
    const char *path = scratch_path("out.safetensors");
    leave_partial(path, 3);
    write_model(path, &plain);
    ck_assert_str_eq(scratch_listing(), "out.safetensors ");
}
END_TEST

static void check_unopened(const char *path, const char *message, const char *listing) {
    OutputTensor tensors[N_TENSORS];
    make_tensors(tensors);
    diags_clear(diags);
    ck_assert_ptr_null(
        writer_open(text_from(path), tensors, N_TENSORS, &resuming, diags, SPAN_NONE));
    ck_assert_uint_eq(diags_count(diags), 1);
    ck_assert_msg(strstr(diags_at(diags, 0)->message.data, message) != NULL, "%s",
                  diags_at(diags, 0)->message.data);
    ck_assert_str_eq(scratch_listing(), listing);
}

START_TEST(foreign_files_stand_in_the_way) {
    const char *path = scratch_path("out.safetensors");
    scratch_put("out.safetensors.partial", TEXT("half a download"));
    check_unopened(path, "'out.safetensors.partial' stands in the way, and is no unfinished output",
                   "out.safetensors.partial ");
    write_model(path, &plain);
    ck_assert_str_eq(scratch_listing(), "out.safetensors out.safetensors.partial ");
    unlink(scratch_path("out.safetensors.partial"));
    unlink(path);
    scratch_put("out.safetensors.partial.journal", TEXT("dear diary"));
    check_unopened(
        path, "'out.safetensors.partial.journal' stands in the way, and is no unfinished output",
        "out.safetensors.partial.journal ");
    unlink(scratch_path("out.safetensors.partial.journal"));
    ck_assert_int_eq(mkdir(scratch_path("out.safetensors.partial.journal"), 0700), 0);
    check_unopened(path, "its journal can't be written", "out.safetensors.partial.journal ");
}
END_TEST

START_TEST(two_runs_do_not_go_on_at_once) {
    const char *path = scratch_path("out.safetensors");
    OutputTensor tensors[N_TENSORS];
    Writer *writer = opened(path, tensors, &resuming);
    check_unopened(path, "another run is writing it",
                   "out.safetensors.partial out.safetensors.partial.journal ");
    diags_clear(diags);
    write_all(writer, tensors);
    ck_assert(writer_finish(writer, diags, SPAN_NONE));
    ck_assert_str_eq(scratch_listing(), "out.safetensors ");
}
END_TEST

START_TEST(space_is_checked_first) {
    OutputTensor huge = {.name = {"h", 1}, .dtype = DTYPE_U8, .shape = {1, {1ULL << 50}}};
    const char *path = scratch_path("out");
    ck_assert_ptr_null(writer_open(text_from(path), &huge, 1, &plain, diags, SPAN_NONE));
    ck_assert_uint_eq(diags_count(diags), 1);
    ck_assert_ptr_nonnull(strstr(diags_at(diags, 0)->message.data, "too little space"));
    ck_assert_str_eq(scratch_listing(), "");
}
END_TEST

static void limit_file_size(uint64_t size) {
    struct rlimit limit = {size, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &limit);
}

/* The limit holds for the files of the test framework too, so nothing is asserted under it. */
START_TEST(a_failed_write_fails_the_file) {
    const char *path = scratch_path("out");
    OutputTensor tensors[N_TENSORS];
    Writer *writer = opened(path, tensors, &plain);
    signal(SIGXFSZ, SIG_IGN);
    limit_file_size(tensors[3].offset);
    bool first = writer_write(writer, tensors[0].offset, contents[0], tensors[0].bytes);
    bool last = writer_write(writer, tensors[3].offset, contents[3], tensors[3].bytes);
    bool finished = writer_finish(writer, diags, SPAN_NONE);
    Writer *again = writer_open(text_from(path), tensors, N_TENSORS, &plain, diags, SPAN_NONE);
    limit_file_size(RLIM_INFINITY);
    ck_assert(first && !last && !finished && again == NULL);
    ck_assert_uint_eq(diags_count(diags), 2);
    for (size_t i = 0; i < 2; i++)
        ck_assert_ptr_nonnull(
            strstr(diags_at(diags, i)->message.data, "out: can't be written: File too large"));
    ck_assert_str_eq(scratch_listing(), "");
}
END_TEST

/* In a process without standard streams: 0 where none of them becomes the output. */
static int write_without_streams(const char *path) {
    OutputTensor tensors[N_TENSORS];
    make_tensors(tensors);
    for (int i = 0; i < 3; i++)
        close(i);
    Writer *writer = writer_open(text_from(path), tensors, N_TENSORS, &plain, diags, SPAN_NONE);
    for (int i = 0; i < 3; i++)
        if (writer == NULL || fcntl(i, F_GETFD) >= 0)
            return 1;
    return writer_finish(writer, diags, SPAN_NONE) ? 0 : 2;
}

START_TEST(outputs_are_no_standard_streams) {
    const char *path = scratch_path("out");
    pid_t child = fork();
    if (child == 0)
        _exit(write_without_streams(path));
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    model_close(read_back(path));
}
END_TEST

START_TEST(long_names_have_temporaries_too) {
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    write_model(scratch_path(name), &plain);
    model_close(read_back(scratch_path(name)));
}
END_TEST

START_TEST(files_read_whole_within_a_limit) {
    Arena arena = {0};
    Text text;
    int error;
    const char *path = scratch_put("t", TEXT("four"));
    ck_assert(file_read(&arena, text_from(path), 4, &text, &error));
    ck_assert(text_equal(text, TEXT("four")));
    ck_assert_int_eq(text.data[4], '\0');
    ck_assert(!file_read(&arena, text_from(path), 3, &text, &error));
    ck_assert_int_eq(error, EFBIG);
    ck_assert(!file_read(&arena, TEXT("/tmp"), 3, &text, &error));
    ck_assert_int_eq(error, EISDIR);
    ck_assert(!file_read(&arena, text_from(scratch_path("none")), 3, &text, &error));
    ck_assert_int_eq(error, ENOENT);
    ck_assert(!file_read(&arena, TEXT("/dev/zero"), 100000, &text, &error));
    ck_assert_int_eq(error, EFBIG);
    ck_assert(file_read(&arena, TEXT("/dev/null"), 0, &text, &error));
    ck_assert_uint_eq(text.size, 0);
    arena_free(&arena);
}
END_TEST

START_TEST(paths_split_and_join) {
    Arena arena = {0};
    ck_assert(text_equal(path_folder(TEXT("a/b/c")), TEXT("a/b")));
    ck_assert(text_equal(path_folder(TEXT("a//c")), TEXT("a")));
    ck_assert(text_equal(path_folder(TEXT("c")), TEXT(".")));
    ck_assert(text_equal(path_folder(TEXT("/c")), TEXT("/")));
    ck_assert(text_equal(path_name(TEXT("a/b/c")), TEXT("c")));
    ck_assert_uint_eq(path_name(TEXT("a/")).size, 0);
    ck_assert(text_equal(path_join(&arena, TEXT("a"), TEXT("b")), TEXT("a/b")));
    ck_assert(text_equal(path_join(&arena, TEXT("/"), TEXT("b")), TEXT("/b")));
    ck_assert(text_equal(path_join(&arena, TEXT("."), TEXT("b")), TEXT("b")));
    ck_assert(text_equal(path_join(&arena, TEXT("a"), TEXT("/b")), TEXT("/b")));
    arena_free(&arena);
}
END_TEST

START_TEST(shapes_broadcast_as_in_numpy) {
    Shape a = {3, {4, 1, 3}}, b = {2, {5, 3}}, c = {1, {2}}, out, expected = {3, {4, 5, 3}};
    ck_assert(shape_broadcast(&a, &b, &out));
    ck_assert(shape_equal(&out, &expected));
    ck_assert_uint_eq(shape_count(&out), 60);
    ck_assert(!shape_broadcast(&a, &c, &out));
    ck_assert(shape_broadcast(&SHAPE_SCALAR, &b, &out));
    ck_assert(shape_equal(&out, &b));
    Shape empty = {2, {0, 1}};
    ck_assert(shape_broadcast(&empty, &b, &out) == false);
    Builder text = {0};
    shape_print(&text, &a);
    ck_assert_str_eq(text.data, "[4, 1, 3]");
    builder_free(&text);
}
END_TEST

Suite *writer_suite(void) {
    Suite *suite = suite_create("writer");
    TCase *tests = tcase_create("writer");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, what_is_written_reads_back);
    tcase_add_test(tests, data_begin_aligned_and_in_order);
    tcase_add_loop_test(tests, dropped_tensors_leave_no_hole, 0, 1 << N_TENSORS);
    tcase_add_test(tests, large_tensors_move_down);
    tcase_add_test(tests, metadata_can_be_patched);
    tcase_add_test(tests, giving_up_leaves_nothing);
    tcase_add_test(tests, stale_temporaries_are_removed);
    tcase_add_test(tests, the_old_file_keeps_mode_and_links);
    tcase_add_test(tests, what_is_no_file_is_never_replaced);
    tcase_add_test(tests, foreign_files_need_force);
    tcase_add_test(tests, inputs_need_force);
    tcase_add_test(tests, finished_tensors_are_kept);
    tcase_add_test(tests, nothing_finished_leaves_nothing);
    tcase_add_test(tests, what_differs_from_its_hash_is_not_believed);
    tcase_add_test(tests, a_journal_that_was_cut_counts_as_far_as_it_goes);
    tcase_add_test(tests, what_was_made_of_something_else_is_made_anew);
    tcase_add_test(tests, what_is_larger_than_the_result_is_cut);
    tcase_add_test(tests, a_run_that_starts_afresh_removes_what_was_left);
    tcase_add_test(tests, foreign_files_stand_in_the_way);
    tcase_add_test(tests, two_runs_do_not_go_on_at_once);
    tcase_add_test(tests, space_is_checked_first);
    tcase_add_test(tests, a_failed_write_fails_the_file);
    tcase_add_test(tests, outputs_are_no_standard_streams);
    tcase_add_test(tests, long_names_have_temporaries_too);
    tcase_add_test(tests, a_hash_covers_all_of_a_large_tensor);
    tcase_add_test(tests, files_read_whole_within_a_limit);
    tcase_add_test(tests, paths_split_and_join);
    tcase_add_test(tests, shapes_broadcast_as_in_numpy);
    suite_add_tcase(suite, tests);
    return suite;
}
