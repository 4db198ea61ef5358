#include "tensor/json_file.h"

#include "base/file.h"

#include <errno.h>

json_t *json_file_load(Arena *arena, size_t limit, const char *what, const Refusal *refusal) {
    Text text;
    int error;
    if (!file_read(arena, refusal->path, limit, &text, &error)) {
        if (error == EFBIG)
            refuse(refusal, "is too large: %zu bytes are allowed", limit);
        else
            refuse_errno(refusal, "can't be read", error);
        return NULL;
    }
    json_error_t problem;
    json_t *root = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES, &problem);
    if (root == NULL)
        refuse(refusal, "is no well-formed %s: %s (line %d)", what,
               show(text_from(problem.text)).text, problem.line);
    return root;
}
