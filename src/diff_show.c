/* What mecha_diff found, in words, as JSON and as a page with a picture. */
#include "diff.h"

#include <math.h>
#include <stdlib.h>

/* ---- numbers ---- */

static void add_percent(Builder *out, double share) {
    builder_format(out, "%.1f %%", 100 * share);
}

/* What is not finite has no number in JSON. */
static void add_json_number(Builder *out, const char *name, double value) {
    builder_format(out, ", \"%s\": ", name);
    if (isfinite(value))
        builder_number(out, value);
    else
        builder_add(out, TEXT("null"));
}

static double largest_relative(const DiffGroups *groups) {
    double most = 0;
    for (size_t i = 0; i < groups->count; i++)
        most = fmax(most, diff_relative(&groups->items[i].sums));
    return most;
}

/* How a value stands to the largest, from 0 to 1; what is no number is the largest. */
static double heat(double value, double most) {
    return most <= 0 ? 0 : isfinite(value) ? fmin(value / most, 1) : 1;
}

static const char *plural(uint64_t n) {
    return n == 1 ? "" : "s";
}

/* ---- in words ---- */

static void add_model(Builder *out, const char *title, const Model *model) {
    builder_format(out, "%-9s ", title);
    builder_printable(out, model->path);
    builder_format(out, ": %u keys, ", model->n_tensors);
    builder_bytes(out, model->bytes);
    builder_char(out, '\n');
}

enum { NAMES_SHOWN = 8 };

/* Of keys that are only in one, or differ in kind, some are named. */
static void add_keys_only(Builder *out, const struct Diff *diff, bool of_a, uint32_t count) {
    uint32_t shown = 0;
    if (count == 0)
        return;
    builder_format(out, "\nonly in %s: %u key%s\n", of_a ? "A" : "B", count, plural(count));
    for (uint32_t i = 0; i < diff->n_keys && shown < NAMES_SHOWN; i++) {
        const DiffKey *key = &diff->keys[i];
        if ((of_a ? key->b : key->a) != NULL)
            continue;
        builder_add(out, TEXT("  "));
        builder_printable(out, key->name);
        builder_char(out, '\n');
        shown++;
    }
    if (shown < count)
        builder_format(out, "  and %u more\n", count - shown);
}

static void add_kind(Builder *out, const Tensor *tensor) {
    builder_format(out, "%.*s ", TEXT_ARG(dtype_info[tensor->dtype].name));
    shape_print(out, &tensor->shape);
}

static void add_kinds(Builder *out, const struct Diff *diff) {
    uint32_t shown = 0, count = 0;
    for (uint32_t i = 0; i < diff->n_keys; i++) {
        const DiffKey *key = &diff->keys[i];
        if (!key->shapes && !key->dtypes)
            continue;
        if (count++ == 0)
            builder_add(out, TEXT("\nof other shapes or dtypes:\n"));
        if (shown == NAMES_SHOWN)
            continue;
        builder_add(out, TEXT("  "));
        builder_printable(out, key->name);
        builder_add(out, TEXT("  "));
        add_kind(out, key->a);
        builder_add(out, TEXT(" -> "));
        add_kind(out, key->b);
        builder_char(out, '\n');
        shown++;
    }
    if (shown < count)
        builder_format(out, "  and %u more\n", count - shown);
}

static void add_figures(Builder *out, const DiffSums *sums) {
    builder_format(out, "%9.6f  %9.4g  %9.4g  %6.1f %%", diff_cosine(sums), diff_relative(sums),
                   sums->most, 100 * diff_share(sums));
}

/* Ten cells, as many filled as it is hot; on a terminal with colour in the colour of the heat. */
static void add_bar(Builder *out, double share, bool colour) {
    static const int shades[] = {17, 18, 54, 90, 126, 162, 197, 203, 209, 215, 221};
    enum { CELLS = 10 };
    int filled = (int)(share * CELLS + 0.5);
    if (share > 0 && filled == 0)
        filled = 1;
    if (colour)
        builder_format(out, "\033[38;5;%dm", shades[(int)(share * 10)]);
    for (int i = 0; i < CELLS; i++)
        builder_add(out, i < filled ? TEXT("█") : TEXT("·"));
    builder_add(out, colour ? TEXT("\033[0m") : TEXT(""));
}

static int label_width(const DiffGroups *groups, bool blocks) {
    size_t width = 9;
    for (size_t i = 0; i < groups->count; i++) {
        Text label = blocks ? groups->items[i].block : groups->items[i].component;
        width = label.size > width ? label.size : width;
    }
    return width < 60 ? (int)width : 60;
}

static void add_label(Builder *out, Text label, int width) {
    Builder shown = {0};
    builder_printable(&shown, label.size > 0 ? label : TEXT("(others)"));
    builder_format(out, "  %-*.*s  ", width, TEXT_ARG(builder_view(&shown)));
    builder_free(&shown);
}

static void add_head(Builder *out, Text title, int width) {
    builder_char(out, '\n');
    add_label(out, title, width);
    builder_format(out, "%9s  %9s  %9s  %8s\n", "cosine", "relative", "max", "changed");
}

static void add_components(Builder *out, const struct Diff *diff) {
    int width = label_width(&diff->components, false);
    add_head(out, TEXT("component"), width);
    for (size_t i = 0; i < diff->components.count; i++) {
        add_label(out, diff->components.items[i].component, width);
        add_figures(out, &diff->components.items[i].sums);
        builder_char(out, '\n');
    }
    if (diff->components.count > 1) {
        add_label(out, TEXT("all"), width);
        add_figures(out, &diff->all);
        builder_char(out, '\n');
    }
}

static uint32_t count_blocks(const struct Diff *diff, Text component) {
    uint32_t count = 0;
    for (size_t i = 0; i < diff->blocks.count; i++)
        count += text_equal(diff->blocks.items[i].component, component);
    return count;
}

/* One table a component of several blocks, all on one scale. */
static void add_blocks(Builder *out, const struct Diff *diff, Text component, bool colour) {
    int width = label_width(&diff->blocks, true);
    double most = largest_relative(&diff->blocks);
    if (count_blocks(diff, component) < 2)
        return;
    add_head(out, component, width);
    for (size_t i = 0; i < diff->blocks.count; i++) {
        const DiffGroup *group = &diff->blocks.items[i];
        if (!text_equal(group->component, component))
            continue;
        add_label(out, group->block, width);
        add_figures(out, &group->sums);
        builder_add(out, TEXT("  "));
        add_bar(out, heat(diff_relative(&group->sums), most), colour);
        builder_char(out, '\n');
    }
}

static void add_summary(Builder *out, const struct Diff *diff) {
    builder_format(out, "%-9s %llu of %llu key%s in both", "changed",
                   (unsigned long long)diff->all.keys_changed, (unsigned long long)diff->all.keys,
                   plural(diff->all.keys));
    if (diff->all.keys_changed > 0) {
        builder_add(out, TEXT(", "));
        add_percent(out, diff_share(&diff->all));
        builder_format(out, " of their elements; relative is |B - A| / |A|");
    }
    builder_char(out, '\n');
}

void mecha_diff_text(Engine *engine, bool colour, Builder *out) {
    const struct Diff *diff = engine->diff;
    add_model(out, "A", diff->a);
    add_model(out, "B", diff->b);
    if (diff->config != NULL)
        builder_format(out, "%-9s %.*s\n", "config", TEXT_ARG(diff->config->name));
    add_summary(out, diff);
    add_keys_only(out, diff, true, diff->n_only_a);
    add_keys_only(out, diff, false, diff->n_only_b);
    add_kinds(out, diff);
    if (diff->all.keys_changed == 0)
        return;
    add_components(out, diff);
    for (size_t i = 0; i < diff->components.count; i++)
        add_blocks(out, diff, diff->components.items[i].component, colour);
}

/* ---- as JSON ---- */

static void add_json_sums(Builder *out, const DiffSums *sums) {
    builder_format(out, "\"keys\": %llu, \"keys_changed\": %llu, \"elements\": %llu",
                   (unsigned long long)sums->keys, (unsigned long long)sums->keys_changed,
                   (unsigned long long)sums->elements);
    add_json_number(out, "cosine", diff_cosine(sums));
    add_json_number(out, "relative", diff_relative(sums));
    add_json_number(out, "max", sums->most);
    add_json_number(out, "changed", diff_share(sums));
}

static void add_json_group(Builder *out, const DiffGroup *group, bool block) {
    builder_add(out, TEXT("{\"component\": "));
    builder_json(out, group->component);
    if (block) {
        builder_add(out, TEXT(", \"block\": "));
        builder_json(out, group->block);
    }
    builder_add(out, TEXT(", "));
    add_json_sums(out, &group->sums);
    builder_char(out, '}');
}

static void add_json_groups(Builder *out, const char *name, const DiffGroups *groups, bool blocks) {
    builder_format(out, ", \"%s\": [", name);
    for (size_t i = 0; i < groups->count; i++) {
        builder_add(out, i > 0 ? TEXT(", ") : TEXT(""));
        add_json_group(out, &groups->items[i], blocks);
    }
    builder_char(out, ']');
}

static void add_json_tensor(Builder *out, const char *name, const Tensor *tensor) {
    builder_format(out, ", \"%s\": ", name);
    if (tensor == NULL) {
        builder_add(out, TEXT("null"));
        return;
    }
    builder_format(out,
                   "{\"dtype\": \"%.*s\", \"shape\": ", TEXT_ARG(dtype_info[tensor->dtype].name));
    shape_print(out, &tensor->shape);
    builder_char(out, '}');
}

/* Every key that differs. */
static void add_json_keys(Builder *out, const struct Diff *diff) {
    const char *between = "";
    builder_add(out, TEXT(", \"keys\": ["));
    for (uint32_t i = 0; i < diff->n_keys; i++) {
        const DiffKey *key = &diff->keys[i];
        bool alike = key->a != NULL && key->b != NULL && !key->shapes && !key->dtypes;
        if (alike && key->sums.keys_changed == 0)
            continue;
        builder_format(out, "%s{\"name\": ", between);
        builder_json(out, key->name);
        add_json_tensor(out, "a", key->a);
        add_json_tensor(out, "b", key->b);
        if (key->sums.keys > 0) {
            add_json_number(out, "cosine", diff_cosine(&key->sums));
            add_json_number(out, "relative", diff_relative(&key->sums));
            add_json_number(out, "max", key->sums.most);
            add_json_number(out, "changed", diff_share(&key->sums));
        }
        builder_char(out, '}');
        between = ", ";
    }
    builder_char(out, ']');
}

void mecha_diff_json(Engine *engine, Builder *out) {
    const struct Diff *diff = engine->diff;
    builder_add(out, TEXT("{\"a\": "));
    builder_json(out, diff->a->path);
    builder_add(out, TEXT(", \"b\": "));
    builder_json(out, diff->b->path);
    builder_add(out, TEXT(", \"config\": "));
    if (diff->config != NULL)
        builder_json(out, diff->config->name);
    else
        builder_add(out, TEXT("null"));
    builder_format(out,
                   ", \"only_a\": %u, \"only_b\": %u, \"shapes\": %u, \"dtypes\": %u, \"all\": {",
                   diff->n_only_a, diff->n_only_b, diff->n_shapes, diff->n_dtypes);
    add_json_sums(out, &diff->all);
    builder_char(out, '}');
    add_json_groups(out, "components", &diff->components, false);
    add_json_groups(out, "blocks", &diff->blocks, true);
    add_json_keys(out, diff);
    builder_add(out, TEXT("}\n"));
}

/* ---- as a page ---- */

static const char style[] =
    "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:62rem;color:#222}"
    "h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}"
    "table{border-collapse:collapse}td,th{padding:.15rem .8rem .15rem 0;text-align:right}"
    "td:first-child,th:first-child{text-align:left}th{border-bottom:1px solid #999}"
    "td{font-variant-numeric:tabular-nums}code{overflow-wrap:anywhere;font-size:.85em}"
    "svg text{font:11px system-ui,sans-serif}"
    "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}svg text{fill:#ddd}}";

static void add_html(Builder *out, Text text) {
    Builder shown = {0};
    builder_printable(&shown, text);
    for (size_t i = 0; i < shown.size; i++) {
        char c = shown.data[i];
        if (c == '<' || c == '&')
            builder_add(out, c == '<' ? TEXT("&lt;") : TEXT("&amp;"));
        else
            builder_char(out, c);
    }
    builder_free(&shown);
}

/* From dark violet over red to yellow, all of them readable on light and dark. */
static void add_colour(Builder *out, double share) {
    static const int stops[5][3] = {
        {59, 28, 102}, {122, 34, 121}, {196, 60, 78}, {240, 125, 43}, {250, 205, 70}};
    int at = share >= 1 ? 3 : (int)(share * 4);
    double rest = share * 4 - at;
    builder_char(out, '#');
    for (int i = 0; i < 3; i++)
        builder_format(out, "%02x",
                       (int)(stops[at][i] + rest * (stops[at + 1][i] - stops[at][i]) + 0.5));
}

enum { CELL = 58, ROW = 66, CELLS_IN_ROW = 14 };

static void add_cell(Builder *out, const DiffGroup *group, uint32_t at, double share) {
    uint32_t x = at % CELLS_IN_ROW * CELL, y = at / CELLS_IN_ROW * ROW;
    builder_format(out, "<g transform=\"translate(%u %u)\"><title>", x, y);
    add_html(out, group->block);
    builder_format(out,
                   ": relative %.4g, cosine %.6f</title><rect width=\"%d\" height=\"34\" "
                   "rx=\"4\" fill=\"",
                   diff_relative(&group->sums), diff_cosine(&group->sums), CELL - 4);
    add_colour(out, share);
    builder_format(out, "\"/><text x=\"%d\" y=\"48\" text-anchor=\"middle\">", (CELL - 4) / 2);
    Text label = group->block;
    enum { MOST = 9 };
    if (label.size > MOST)
        label = (Text){label.data + label.size - MOST, MOST};
    add_html(out, label);
    builder_format(out,
                   "</text><text x=\"%d\" y=\"22\" text-anchor=\"middle\" "
                   "style=\"fill:%s\">%.3g</text></g>\n",
                   (CELL - 4) / 2, share > 0.7 ? "#222" : "#fff", diff_relative(&group->sums));
}

static void add_map(Builder *out, const struct Diff *diff, Text component) {
    uint32_t count = count_blocks(diff, component), at = 0;
    double most = largest_relative(&diff->blocks);
    if (count < 2)
        return;
    builder_add(out, TEXT("<h2>"));
    add_html(out, component);
    builder_add(out, TEXT("</h2>\n"));
    uint32_t rows = (count + CELLS_IN_ROW - 1) / CELLS_IN_ROW;
    builder_format(out, "<svg width=\"%d\" height=\"%u\" role=\"img\">\n", CELLS_IN_ROW * CELL,
                   rows * ROW);
    for (size_t i = 0; i < diff->blocks.count; i++) {
        const DiffGroup *group = &diff->blocks.items[i];
        if (text_equal(group->component, component))
            add_cell(out, group, at++, heat(diff_relative(&group->sums), most));
    }
    builder_add(out, TEXT("</svg>\n"));
}

static void add_row(Builder *out, Text label, const DiffSums *sums) {
    builder_add(out, TEXT("<tr><td>"));
    add_html(out, label.size > 0 ? label : TEXT("(others)"));
    builder_format(out, "<td>%llu<td>%.6f<td>%.4g<td>%.4g<td>%.1f&nbsp;%%\n",
                   (unsigned long long)sums->keys, diff_cosine(sums), diff_relative(sums),
                   sums->most, 100 * diff_share(sums));
}

static void add_table(Builder *out, const struct Diff *diff) {
    builder_add(out, TEXT("<table><tr><th>component<th>keys<th>cosine<th>relative<th>max<th>"
                          "changed\n"));
    for (size_t i = 0; i < diff->components.count; i++)
        add_row(out, diff->components.items[i].component, &diff->components.items[i].sums);
    add_row(out, TEXT("all"), &diff->all);
    builder_add(out, TEXT("</table>\n"));
}

/* What the colours of the maps mean. */
static void add_scale(Builder *out, const struct Diff *diff) {
    enum { STEPS = 24, WIDTH = 10 };
    double most = largest_relative(&diff->blocks);
    if (diff->blocks.count < 2 || most <= 0)
        return;
    builder_add(out, TEXT("<p>Each block below shows its <i>relative</i> change; 0 "));
    builder_format(out, "<svg width=\"%d\" height=\"12\" role=\"img\">", STEPS * WIDTH);
    for (int i = 0; i < STEPS; i++) {
        builder_format(out, "<rect x=\"%d\" width=\"%d\" height=\"12\" fill=\"", i * WIDTH, WIDTH);
        add_colour(out, (double)i / (STEPS - 1));
        builder_add(out, TEXT("\"/>"));
    }
    builder_format(out, "</svg> %.3g. Point at one for its cosine.</p>\n", most);
}

static int by_relative(const void *a, const void *b) {
    double x = diff_relative(&(*(const DiffKey *const *)a)->sums);
    double y = diff_relative(&(*(const DiffKey *const *)b)->sums);
    return x > y ? -1 : x < y;
}

/* The keys that changed most. */
static void add_html_keys(Engine *engine, Builder *out, const struct Diff *diff) {
    enum { KEYS_SHOWN = 25 };
    const DiffKey **keys = arena_array(&engine->arena, const DiffKey *, diff->n_keys + 1);
    size_t count = 0;
    for (uint32_t i = 0; i < diff->n_keys; i++)
        if (diff->keys[i].sums.changed > 0)
            keys[count++] = &diff->keys[i];
    if (count == 0)
        return;
    qsort(keys, count, sizeof *keys, by_relative);
    builder_add(out, count > KEYS_SHOWN ? TEXT("<h2>Keys that changed most</h2>\n")
                                        : TEXT("<h2>Keys that changed</h2>\n"));
    builder_add(out, TEXT("<table><tr><th>key<th>cosine<th>relative<th>max<th>changed\n"));
    for (size_t i = 0; i < count && i < KEYS_SHOWN; i++) {
        builder_add(out, TEXT("<tr><td><code>"));
        add_html(out, keys[i]->name);
        builder_format(out, "</code><td>%.6f<td>%.4g<td>%.4g<td>%.1f&nbsp;%%\n",
                       diff_cosine(&keys[i]->sums), diff_relative(&keys[i]->sums),
                       keys[i]->sums.most, 100 * diff_share(&keys[i]->sums));
    }
    builder_add(out, TEXT("</table>\n"));
}

static void add_html_only(Builder *out, const struct Diff *diff) {
    if (diff->n_only_a + diff->n_only_b + diff->n_shapes + diff->n_dtypes == 0)
        return;
    builder_format(out,
                   "<h2>Keys</h2>\n<p>%u only in A, %u only in B; %u of other shapes, %u of "
                   "other dtypes.</p>\n<ul>\n",
                   diff->n_only_a, diff->n_only_b, diff->n_shapes, diff->n_dtypes);
    for (uint32_t i = 0; i < diff->n_keys; i++) {
        const DiffKey *key = &diff->keys[i];
        if (key->a != NULL && key->b != NULL && !key->shapes && !key->dtypes)
            continue;
        builder_add(out, TEXT("<li><code>"));
        add_html(out, key->name);
        builder_add(out, TEXT("</code> "));
        if (key->a == NULL || key->b == NULL)
            builder_add(out, key->a != NULL ? TEXT("only in A, ") : TEXT("only in B, "));
        if (key->a != NULL)
            add_kind(out, key->a);
        builder_add(out, key->a != NULL && key->b != NULL ? TEXT(" → ") : TEXT(""));
        if (key->b != NULL)
            add_kind(out, key->b);
        builder_char(out, '\n');
    }
    builder_add(out, TEXT("</ul>\n"));
}

void mecha_diff_html(Engine *engine, Builder *out) {
    const struct Diff *diff = engine->diff;
    builder_format(out,
                   "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>mecha "
                   "diff</title><style>%s</style>\n<h1>",
                   style);
    add_html(out, diff->a->path);
    builder_add(out, TEXT(" → "));
    add_html(out, diff->b->path);
    builder_format(out, "</h1>\n<p>%llu of %llu keys in both changed, ",
                   (unsigned long long)diff->all.keys_changed, (unsigned long long)diff->all.keys);
    add_percent(out, diff_share(&diff->all));
    builder_add(out, TEXT(" of their elements. <i>relative</i> is |B − A| / |A|.</p>\n"));
    add_table(out, diff);
    add_scale(out, diff);
    for (size_t i = 0; i < diff->components.count; i++)
        add_map(out, diff, diff->components.items[i].component);
    add_html_keys(engine, out, diff);
    add_html_only(out, diff);
    builder_add(out, TEXT("</html>\n"));
}
