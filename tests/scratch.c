#include "scratch.h"

#include "run.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *folder;
static Arena arena;

void scratch_make(void) {
    folder = scratch_open();
}

void scratch_remove(void) {
    scratch_close(folder);
    arena_free(&arena);
}

const char *scratch_path(const char *name) {
    return text_format(&arena, "%s/%s", folder, name).data;
}

const char *scratch_put(const char *name, Text data) {
    const char *path = scratch_path(name);
    FILE *stream = fopen(path, "wb");
    ck_assert_ptr_nonnull(stream);
    ck_assert_uint_eq(fwrite(data.data, 1, data.size, stream), data.size);
    ck_assert_int_eq(fclose(stream), 0);
    return path;
}

const char *scratch_model(const char *name, Text header, size_t data_size) {
    Builder file = {0};
    for (int i = 0; i < 8; i++)
        builder_char(&file, (char)((uint64_t)header.size >> (8 * i)));
    builder_add(&file, header);
    for (size_t i = 0; i < data_size; i++)
        builder_char(&file, (char)(i % 251));
    const char *path = scratch_put(name, builder_view(&file));
    builder_free(&file);
    return path;
}

const char *scratch_listing(void) {
    struct dirent **entries;
    Builder names = {0};
    int n = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        if (strcmp(entries[i]->d_name, ".") != 0 && strcmp(entries[i]->d_name, "..") != 0)
            builder_format(&names, "%s ", entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    const char *listing = text_copy(&arena, builder_view(&names)).data;
    builder_free(&names);
    return listing;
}
