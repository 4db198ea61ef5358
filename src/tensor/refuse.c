#include "tensor/refuse.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>

enum { PATH_SHOWN = 190 };

Shown show(Text text) {
    Builder builder = {0};
    builder_printable(&builder, text);
    Shown shown;
    snprintf(shown.text, sizeof shown.text, "%.*s", TEXT_ARG(builder_view(&builder)));
    builder_free(&builder);
    return shown;
}

Shown show_path(Text path) {
    if (path.size <= PATH_SHOWN)
        return show(path);
    size_t start = path.size - PATH_SHOWN;
    while (start < path.size && ((unsigned char)path.data[start] & 0xC0) == 0x80)
        start++;
    Shown end = show((Text){path.data + start, path.size - start}), shown;
    snprintf(shown.text, sizeof shown.text, "…%.*s", (int)sizeof end.text - 8, end.text);
    return shown;
}

bool refuse(const Refusal *refusal, const char *format, ...) {
    Builder builder = {0};
    va_list arguments;
    va_start(arguments, format);
    builder_vformat(&builder, format, arguments);
    va_end(arguments);
    diag_error(refusal->diags, refusal->span, "%s: %.*s", show_path(refusal->path).text,
               TEXT_ARG(builder_view(&builder)));
    builder_free(&builder);
    return false;
}

bool refuse_errno(const Refusal *refusal, const char *what, int error) {
    return refuse(refusal, "%s: %s", what, strerror(error));
}

bool refuse_kind(const Refusal *refusal, mode_t mode) {
    return refuse(refusal, "is %s, no regular file", file_kind(mode));
}
