#include "base/glob.h"

#include <string.h>

/* The bytes of the character at T. */
static size_t character(Text text, size_t t) {
    size_t end = t + 1;
    while (end < text.size && ((unsigned char)text.data[end] & 0xc0) == 0x80)
        end++;
    return end - t;
}

/* The first place at or after FROM where what stands behind a star may begin. */
static size_t next_begin(Text pattern, size_t star, Text text, size_t from) {
    char first = pattern.data[star];
    if (first == '?' || first == '*' || first == '\\' || from >= text.size)
        return from;
    const char *found = memchr(text.data + from, first, text.size - from);
    return found != NULL ? (size_t)(found - text.data) : text.size;
}

/* Where a star fails, only the last one needs to be tried again, one byte further: what stands
 * before it has matched as early as it could. So the time is at most the product of the sizes. */
bool glob_matches(Text pattern, Text text) {
    size_t p = 0, t = 0, star = SIZE_MAX, resume = 0;
    while (t < text.size) {
        bool literal = p + 1 < pattern.size && pattern.data[p] == '\\';
        if (p < pattern.size && pattern.data[p] == '*') {
            star = ++p;
            if (p == pattern.size)
                return true;
            resume = t = next_begin(pattern, star, text, t);
        } else if (p < pattern.size && pattern.data[p] == '?') {
            p++;
            t += character(text, t);
        } else if (p < pattern.size && pattern.data[p + literal] == text.data[t]) {
            p += 1 + literal;
            t++;
        } else if (star != SIZE_MAX) {
            p = star;
            resume = t = next_begin(pattern, star, text, resume + 1);
        } else {
            return false;
        }
    }
    while (p < pattern.size && pattern.data[p] == '*')
        p++;
    return p == pattern.size;
}
