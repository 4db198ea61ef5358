#include "tensor/json_file.h"

#include "base/file.h"

#include <errno.h>

static bool read_text(Arena *arena, size_t limit, Text *text, const Refusal *refusal) {
    struct stat status;
    int error;
    if (file_read_regular(arena, refusal->path, limit, text, &status, &error))
        return true;
    if (error == 0)
        return refuse_kind(refusal, status.st_mode);
    if (error == EFBIG)
        return refuse(refusal, "is too large: %zu bytes are allowed", limit);
    return refuse_errno(refusal, "can't be read", error);
}

json_t *json_file_load(Arena *arena, size_t limit, const char *what, const Refusal *refusal) {
    Text text;
    if (!read_text(arena, limit, &text, refusal))
        return NULL;
    json_error_t problem;
    json_t *root = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES, &problem);
    if (root == NULL)
        refuse(refusal, "is no well-formed %s: %s (line %d)", what,
               show(text_from(problem.text)).text, problem.line);
    return root;
}
