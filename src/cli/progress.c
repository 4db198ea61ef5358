#include "cli/progress.h"

#include "cli/signals.h"

#include <math.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const double first_after = 0.4; /* seconds: short runs show none */
static const double redraw_after = 0.1;
static const double memory = 5; /* seconds over which the rate is smoothed */

void builder_decimal(Builder *out, double bytes) {
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB"};
    int unit = 0;
    for (; bytes >= 999.5 && unit < 5; unit++)
        bytes /= 1000;
    int digits = unit == 0 || bytes >= 100 ? 0 : bytes >= 10 ? 1 : 2;
    builder_format(out, "%.*f %s", digits, bytes, units[unit]);
}

static void add_duration(Builder *out, double seconds) {
    long whole = (long)ceil(seconds);
    if (whole < 60)
        builder_format(out, "%ld s", whole);
    else if (whole < 3600)
        builder_format(out, "%ld:%02ld min", whole / 60, whole % 60);
    else
        builder_format(out, "%ld:%02ld h", whole / 3600, whole / 60 % 60);
}

void progress_words(const ProgressLine *line, const MechaProgress *progress, int width,
                    Builder *out) {
    double share = progress->bytes ? (double)progress->bytes_done / (double)progress->bytes : 0;
    builder_format(out, "%3.0f %%  %llu of %llu keys, ", floor(share * 100),
                   (unsigned long long)progress->keys_done, (unsigned long long)progress->keys);
    builder_decimal(out, (double)progress->bytes_done);
    builder_add(out, TEXT(" of "));
    builder_decimal(out, (double)progress->bytes);
    if (line->rate > 0) {
        builder_add(out, TEXT("  "));
        builder_decimal(out, line->rate);
        builder_add(out, TEXT("/s  "));
        add_duration(out, (double)(progress->bytes - progress->bytes_done) / line->rate);
        builder_add(out, TEXT(" left"));
    }
    if (width >= 0 && out->size > (size_t)width)
        out->size = (size_t)width;
}

/* An average that forgets: what happened MEMORY seconds ago counts for a third of what happens
 * now. At first it is the plain average, which is steadier. */
static void follow(ProgressLine *line, const MechaProgress *progress) {
    double passed = progress->seconds - line->seconds;
    if (passed <= 0 || progress->bytes_done < line->bytes)
        return;
    double now = (double)(progress->bytes_done - line->bytes) / passed;
    double average = (double)progress->bytes_done / progress->seconds;
    double share = 1 - exp(-passed / memory);
    line->rate = progress->seconds < memory ? average : line->rate + share * (now - line->rate);
    line->seconds = progress->seconds;
    line->bytes = progress->bytes_done;
}

static int terminal_width(void) {
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 79;
    return size.ws_col - 1;
}

static void draw(ProgressLine *line, const MechaProgress *progress) {
    Builder words = {0};
    builder_add(&words, TEXT("\r"));
    Builder shown = {0};
    progress_words(line, progress, terminal_width(), &shown);
    builder_add(&words, builder_view(&shown));
    builder_add(&words, TEXT("\033[K"));
    signals_progress_shown(true);
    (void)!write(STDERR_FILENO, words.data, words.size);
    line->shown = true;
    line->drawn = progress->seconds;
    builder_free(&shown);
    builder_free(&words);
}

void progress_report(void *context, const MechaProgress *progress) {
    ProgressLine *line = context;
    double since = progress->seconds - line->drawn;
    if (since < (line->shown ? redraw_after : first_after))
        return;
    follow(line, progress);
    draw(line, progress);
}

void progress_erase(ProgressLine *line) {
    if (line->shown)
        (void)!write(STDERR_FILENO, "\r\033[K", 4);
    line->shown = false;
    signals_progress_shown(false);
}
