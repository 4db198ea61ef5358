#include "base/size.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* 0: there is no such unit. */
static uint64_t unit_of(const char *text, size_t length) {
    static const char letters[] = "KMGT";
    char letter = (char)toupper((unsigned char)*text);
    const char *found = length ? strchr(letters, letter) : NULL;
    bool decimal = length == 2 && toupper((unsigned char)text[1]) == 'B';
    bool binary = length == 1 || (length == 3 && strncasecmp(text + 1, "ib", 2) == 0);
    if (length == 0 || (length == 1 && letter == 'B'))
        return 1;
    if (!found || !(decimal || binary))
        return 0;
    uint64_t unit = 1;
    for (const char *at = letters; at <= found; at++)
        unit *= decimal ? 1000 : 1024;
    return unit;
}

bool size_parse(Text text, uint64_t *size) {
    char written[40];
    if (text.size >= sizeof written || memchr(text.data, '\0', text.size) != NULL)
        return false;
    memcpy(written, text.data, text.size);
    written[text.size] = '\0';
    size_t digits = strspn(written, "0123456789.");
    char *end;
    double value = strtod(written, &end);
    uint64_t unit = unit_of(written + digits, text.size - digits);
    if (digits == 0 || end != written + digits || unit == 0 || value * (double)unit >= 0x1p63)
        return false;
    *size = (uint64_t)(value * (double)unit);
    return true;
}
