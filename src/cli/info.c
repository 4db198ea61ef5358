/* mecha info: what models hold. One is told about at length, several in a line
 * each. */
#include "cli/cli.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

typedef VECTOR(const char *) Paths;

/* Numbers within names count as such: m2 comes before m10. */
static int by_name(const void *a, const void *b) {
    return strverscmp(*(const char *const *)a, *(const char *const *)b);
}

static bool ends_in(const char *name, const char *end) {
    return text_ends(text_from(name), text_from(end));
}

/* The models of a folder; none where the folder is itself one, of several
 * files. */
static void list_folder(const char *folder, Arena *arena, Paths *found) {
    DIR *stream = opendir(folder);
    size_t before = found->count;
    bool sharded = false;
    for (struct dirent *entry; stream != NULL && (entry = readdir(stream)) != NULL;) {
        const char *name = entry->d_name;
        sharded |= ends_in(name, ".safetensors.index.json") || strstr(name, "-of-") != NULL ||
                   text_equal(text_from(name), TEXT("model_index.json"));
        if (ends_in(name, ".safetensors"))
            vector_push(found, text_format(arena, "%s/%s", folder, name).data);
    }
    if (stream != NULL)
        closedir(stream);
    if (sharded || found->count == before + 1)
        found->count = before;
    if (found->count > before)
        qsort(found->items + before, found->count - before, sizeof *found->items, by_name);
}

static Paths list_models(const Arguments *arguments, Arena *arena) {
    Paths paths = {0};
    for (size_t i = 0; i < arguments->operands.count; i++) {
        size_t before = paths.count;
        list_folder(arguments->operands.items[i], arena, &paths);
        if (paths.count == before)
            vector_push(&paths, arguments->operands.items[i]);
    }
    return paths;
}

static int describe(Engine *engine, const Arguments *arguments, const Paths *paths) {
    int status = STATUS_DONE;
    for (size_t i = 0; i < paths->count; i++) {
        Builder words = {0};
        bool keys = arguments->keys != NULL;
        if (!mecha_info(engine, paths->items[i], keys, arguments->keys, arguments->json, &words))
            status = STATUS_FAULT;
        else if (i > 0 && !arguments->json)
            putchar('\n');
        print_result(&words);
    }
    return status;
}

static int widest(const MechaInfoLine *lines, size_t count, size_t field) {
    size_t width = 0;
    for (size_t i = 0; i < count; i++) {
        size_t size = ((const Text *)((const char *)&lines[i] + field))->size;
        width = size > width ? size : width;
    }
    return (int)width;
}

static void print_lines(const MechaInfoLine *lines, size_t count) {
    int path = widest(lines, count, offsetof(MechaInfoLine, path));
    int config = widest(lines, count, offsetof(MechaInfoLine, config));
    int dtypes = widest(lines, count, offsetof(MechaInfoLine, dtypes));
    for (size_t i = 0; i < count; i++) {
        Builder words = {0};
        builder_format(&words, "%-*.*s  %-*.*s  %6u keys  %-*.*s  ", path, TEXT_ARG(lines[i].path),
                       config, TEXT_ARG(lines[i].config), lines[i].keys, dtypes,
                       TEXT_ARG(lines[i].dtypes));
        builder_bytes(&words, lines[i].bytes);
        builder_char(&words, '\n');
        print_result(&words);
    }
}

static int tabulate(Engine *engine, const Paths *paths, Arena *arena) {
    MechaInfoLine *lines = arena_array(arena, MechaInfoLine, paths->count + 1);
    size_t count = 0;
    for (size_t i = 0; i < paths->count; i++)
        count += mecha_info_line(engine, paths->items[i], &lines[count]);
    print_lines(lines, count);
    return count == paths->count ? STATUS_DONE : STATUS_FAULT;
}

int command_info(Arguments *arguments) {
    Engine *engine = mecha_open(&arguments->engine);
    Arena arena = {0};
    Paths paths = list_models(arguments, &arena);
    bool table = paths.count > 1 && !arguments->json && arguments->keys == NULL;
    int status = table ? tabulate(engine, &paths, &arena) : describe(engine, arguments, &paths);
    vector_free(&paths);
    arena_free(&arena);
    return close_engine(engine, arguments, status);
}
