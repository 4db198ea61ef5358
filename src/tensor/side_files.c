#include "tensor/side_files.h"

#include "base/file.h"
#include "base/glob.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What transformers and diffusers write beside weights, and read again; and what tells under which
 * terms they are published. Anything else in the folder may have nothing to do with the model. */
static const char *const loaded[] = {
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "scheduler_config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "spiece.model",
    "sentencepiece*.model",
    "chat_template*",
};
static const char *const terms[] = {"LICENSE*", "LICENCE*", "NOTICE*"};

void side_files_free(SideFiles *files) {
    vector_free(&files->names);
}

static bool matches(Text name, const char *const *patterns, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (glob_matches(text_from(patterns[i]), name))
            return true;
    return false;
}

static bool is_loaded(Text name) {
    return matches(name, loaded, sizeof loaded / sizeof *loaded);
}

static bool is_side_file(Text name) {
    return is_loaded(name) || matches(name, terms, sizeof terms / sizeof *terms);
}

static int compare_names(const void *a, const void *b) {
    return text_compare(*(const Text *)a, *(const Text *)b);
}

static bool list_names(SideFiles *files, const Refusal *refusal) {
    DIR *stream = opendir(files->folder.data);
    if (stream == NULL)
        return refuse_errno(refusal, "can't be listed", errno);
    int error;
    for (const char *entry; (entry = folder_next(stream, &error)) != NULL;) {
        Text name = text_from(entry);
        struct stat status;
        Text path = path_join(files->arena, files->folder, name);
        if (is_side_file(name) && stat(path.data, &status) == 0 && S_ISREG(status.st_mode))
            vector_push(&files->names, text_copy(files->arena, name));
    }
    closedir(stream);
    vector_sort(&files->names, compare_names);
    return error == 0 || refuse_errno(refusal, "can't be listed", error);
}

bool side_files_find(SideFiles *files, const Refusal *refusal) {
    return files->folder.size == 0 || list_names(files, refusal);
}

/* ---- the dtype in a config ---- */

/* Behind the white space at AT. */
static size_t skip_space(Text text, size_t at) {
    while (at < text.size && isspace((unsigned char)text.data[at]))
        at++;
    return at;
}

/* Whether a value that is a string begins behind the key that ends at *AT; *AT is then where its
 * letters begin, and *END where they end. */
static bool find_value(Text text, size_t *at, size_t *end) {
    size_t colon = skip_space(text, *at);
    if (colon == text.size || text.data[colon] != ':')
        return false;
    size_t quote = skip_space(text, colon + 1);
    if (quote == text.size || text.data[quote] != '"')
        return false;
    *at = quote + 1;
    const char *last = memchr(text.data + *at, '"', text.size - *at);
    *end = last == NULL ? *at : (size_t)(last - text.data);
    return last != NULL;
}

/* Whether the text has, at AT, one of the keys under which configs keep the dtype of weights. */
static size_t key_size(Text text, size_t at) {
    static const char *const keys[] = {"\"torch_dtype\"", "\"dtype\""};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (text_starts((Text){text.data + at, text.size - at}, text_from(keys[i])))
            return strlen(keys[i]);
    return 0;
}

/* The rest of the text stays as it is, letter for letter: numbers that are written otherwise would
 * be other numbers to some. */
static void with_dtype(Text text, Text dtype, Builder *out) {
    size_t kept = 0;
    for (size_t i = 0; i < text.size && dtype.size > 0; i++) {
        size_t at = i + key_size(text, i), end;
        if (at == i || !find_value(text, &at, &end) ||
            dtype_from_name((Text){text.data + at, end - at}) == DTYPE_NONE)
            continue;
        builder_add(out, (Text){text.data + kept, at - kept});
        builder_add(out, dtype);
        kept = end;
        i = end;
    }
    builder_add(out, (Text){text.data + kept, text.size - kept});
}

/* ---- writing ---- */

static bool holds_already(Arena *arena, Text path, Text content) {
    Text there;
    int error;
    struct stat status;
    return lstat(path.data, &status) == 0 && S_ISREG(status.st_mode) &&
           (uint64_t)status.st_size == content.size &&
           file_read(arena, path, FILE_TEXT_LIMIT, &there, &error) && text_equal(there, content);
}

/* Where the size of the vocabulary begins behind AT, if that is where its key is and it is ROWS;
 * else 0. */
static size_t find_rows(Text text, size_t at, Text rows) {
    Text key = TEXT("\"vocab_size\"");
    if (!text_starts((Text){text.data + at, text.size - at}, key))
        return 0;
    size_t colon = skip_space(text, at + key.size);
    if (colon == text.size || text.data[colon] != ':')
        return 0;
    at = skip_space(text, colon + 1);
    size_t end = at + rows.size;
    bool found = text_starts((Text){text.data + at, text.size - at}, rows) &&
                 (end == text.size || !isdigit((unsigned char)text.data[end]));
    return found ? at : 0;
}

/* The size of another vocabulary, of images for instance, stays. */
static void with_rows(const SideFiles *files, Text text, Builder *out) {
    Text rows = text_format(files->arena, "%" PRIu64, files->rows);
    size_t kept = 0;
    for (size_t i = 0; i < text.size && files->rows != files->rows_now; i++) {
        size_t at = find_rows(text, i, rows);
        if (at == 0)
            continue;
        builder_add(out, (Text){text.data + kept, at - kept});
        builder_format(out, "%" PRIu64, files->rows_now);
        kept = at + rows.size;
    }
    builder_add(out, (Text){text.data + kept, text.size - kept});
}

/* Whether the config of the folder says that it has these rows. */
static bool counts_rows(const SideFiles *files) {
    Text text, rows = text_format(files->arena, "%" PRIu64, files->rows);
    int error;
    bool counts = false;
    Text path = path_join(files->arena, files->folder, TEXT("config.json"));
    if (file_read(files->arena, path, FILE_TEXT_LIMIT, &text, &error))
        for (size_t i = 0; i < text.size && !counts; i++)
            counts = find_rows(text, i, rows) > 0;
    return counts;
}

void side_files_warn_rows(const SideFiles *files, const Refusal *refusal) {
    bool has_tokenizer = false;
    for (size_t i = 0; i < files->names.count; i++)
        has_tokenizer |= text_starts(files->names.items[i], TEXT("tokenizer"));
    if (!has_tokenizer || !counts_rows(files))
        return;
    diag_warning(refusal->diags, refusal->span,
                 "the tokenizer is that of '%s', for %" PRIu64
                 " tokens, and the result has %" PRIu64 ": no input that is a folder has as many",
                 show_path(files->folder).text, files->rows, files->rows_now);
}

static bool has_name(const SideFiles *files, Text name) {
    for (size_t i = 0; i < files->names.count; i++)
        if (text_equal(files->names.items[i], name))
            return true;
    return false;
}

void side_files_warn_stale(const SideFiles *files, Text folder, const Refusal *refusal) {
    SideFiles there = {.arena = files->arena, .folder = folder};
    Builder stale = {0};
    bool listed = files->folder.size > 0 && list_names(&there, refusal);
    for (size_t i = 0; i < there.names.count && listed; i++) {
        if (!is_loaded(there.names.items[i]) || has_name(files, there.names.items[i]))
            continue;
        builder_add(&stale, stale.size > 0 ? TEXT(", ") : TEXT(""));
        builder_printable(&stale, there.names.items[i]);
    }
    if (stale.size > 0)
        diag_warning(refusal->diags, refusal->span,
                     "%s: loaders will find what was there before and '%s' has not: %s",
                     show_path(folder).text, show_path(files->folder).text, stale.data);
    builder_free(&stale);
    side_files_free(&there);
}

/* A config says what the result is; all other files stay as they are. */
static void adapt(const SideFiles *files, Text name, Text text, Builder *out) {
    bool is_config = text_equal(name, TEXT("config.json"));
    Builder tied = {0}, counted = {0};
    if (!is_config) {
        builder_add(out, text);
        return;
    }
    tie_write(text, files->tie, &tied);
    with_rows(files, builder_view(&tied), &counted);
    with_dtype(builder_view(&counted), files->dtype, out);
    builder_free(&tied);
    builder_free(&counted);
}

static bool stage_file(const SideFiles *files, Text name, Text folder, bool no_sync,
                       StagedFiles *staged, const Refusal *refusal) {
    Arena arena = {0};
    Builder content = {0};
    Refusal inner = *refusal;
    inner.path = path_join(&arena, files->folder, name);
    Text text, target = path_join(files->arena, folder, name);
    int error;
    bool done = file_read(&arena, inner.path, FILE_TEXT_LIMIT, &text, &error) ||
                refuse_errno(&inner, "can't be read", error);
    if (done)
        adapt(files, name, text, &content);
    if (done && !holds_already(&arena, target, builder_view(&content)))
        done = staged_add(staged, target, builder_view(&content), no_sync, refusal);
    builder_free(&content);
    arena_free(&arena);
    return done;
}

bool side_files_stage(const SideFiles *files, Text folder, bool no_sync, StagedFiles *staged,
                      const Refusal *refusal) {
    for (size_t i = 0; i < files->names.count; i++)
        if (!stage_file(files, files->names.items[i], folder, no_sync, staged, refusal))
            return false;
    return true;
}
