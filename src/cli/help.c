/* mecha help: commands and topics. */
#include "cli/chapters.h"
#include "cli/cli.h"

#include <string.h>

typedef struct Topic {
    const char *name, *summary, *words;
    void (*rest)(Builder *out); /* adds what is told from the code itself; may be NULL */
} Topic;

static const Topic topics[] = {
    {"recipes", "how recipes are written",
     "A recipe says how to derive one model from others:\n"
     "\n"
     "    # Halfway between two fine-tunes, on the base they came from.\n"
     "    base = model(\"base.safetensors\")\n"
     "    a    = model(\"a.safetensors\")\n"
     "    b    = model(\"b.safetensors\")\n"
     "\n"
     "    merged = base + ties_sum(a - base, b - base, k = 0.2)\n"
     "    save merged to \"merged.safetensors\", dtype = \"bf16\"\n"
     "\n"
     "Without 'save', the last line is the result, and -o names the file. A map gives dtypes by\n"
     "key: dtype = { \"*.norm.*\": f32, IN00..IN03: f16, \"*\": bf16 }. Sums are checked: a\n"
     "model is a point (its mass is 1), a difference of models a direction (its mass is 0), and\n"
     "the result must be a point, unless --space says otherwise.\n"
     "\n"
     "A file whose first line is 'version 0.1.0' is an instruction list, one step a line. Both\n"
     "are run, checked and explained alike; 'mecha compile' turns the first into the second.\n"},
    {"methods", "how a merge method of one's own is written",
     "A method is a function of tensors, applied to every key:\n"
     "\n"
     "    # Nearer to b, the more the two agree.\n"
     "    method agreeing(a: S, b: S) -> S {\n"
     "        similar = clamp(sum(a / norm(a) * (b / norm(b))), 0, 1)\n"
     "        lerp(a, b, similar)\n"
     "    }\n"
     "\n"
     "It stands in the recipe that uses it. Its signature names the merge space of every\n"
     "parameter: 'weight' a model, 'delta' a difference, 'param' a coefficient; a capital letter\n"
     "is whatever it is given. 'mecha methods' lists those that are built in, 'mecha methods\n"
     "NAME' shows one with its source.\n"},
    {"tensors", "the functions that methods are made of",
     "In the bodies of methods, besides + - * / ^, comparisons, and or not, if then else:\n\n",
     mecha_functions},
    {"paths", "where models are looked for",
     "A relative path in a recipe is looked for\n"
     "  1. beside the recipe,\n"
     "  2. in each --models-dir, in the order given,\n"
     "  3. in the folders of MECHA_MODELS, separated by colons,\n"
     "  4. in the working directory.\n"
     "\n"
     "Outputs are relative to the working directory. An existing .safetensors file is replaced\n"
     "once the new one is whole; other files, and models that the recipe reads, only with\n"
     "--force.\n"
     "\n"
     "A model may be a folder: one file or shards, with or without an index; or a pipeline as\n"
     "diffusers writes it, whose keys begin with the names of its parts ('unet.…'). 'FOLDER@fp16'\n"
     "is one of several variants, 'FOLDER@none' the one without a name. An output whose path ends\n"
     "in a slash, or that has a --shard-size, is a folder, too, with what stands beside the\n"
     "weights of the first input that is one: config, tokenizer, licence; of a pipeline, a\n"
     "pipeline. Where an input is a folder, a path without a dot in its name is enough.\n"},
    {"sizes", "how sizes are written",
     "Sizes are numbers with a unit: K, M, G, T (or KiB, MiB, GiB, TiB) are powers of 1024,\n"
     "KB, MB, GB, TB powers of 1000. '1.5G' is one and a half times 1024 * 1024 * 1024 bytes.\n"},
    {"exit-status", "what the exit status means",
     "    0      done\n"
     "    1      the recipe, an input or the output is at fault; fmt --check: files would change\n"
     "    2      wrong usage\n"
     "    128+N  ended by signal N\n"
     "\n"
     "Results go to standard output, everything else to standard error.\n"},
    {"environment", "the variables that are read",
     "    MECHA_MODELS   folders to look for models in, separated by colons\n"
     "    MECHA_HISTORY  the file that keeps what was typed in sessions; empty: none\n"
     "    NO_COLOR       if set and not empty, messages have no colour\n"
     "    TERM           'dumb': no colour and no progress line\n"},
};
enum { TOPICS = sizeof topics / sizeof *topics, CHAPTER_LIMIT = 64, WORD_LIMIT = 8 };

/* Several to a line. */
static void list_chapters(Builder *out) {
    size_t width = 0;
    for (unsigned i = 0; i < n_chapters; i++) {
        size_t size = strlen(chapters[i].name) + 2;
        if (width + size > 78 || i == 0)
            builder_format(out, "%s  %s", i > 0 ? ",\n" : "", chapters[i].name);
        else
            builder_format(out, ", %s", chapters[i].name);
        width = width + size > 78 ? size : width + size;
    }
    builder_char(out, '\n');
}

void help_overview(void) {
    Builder out = {0};
    builder_add(&out, TEXT("mecha runs recipes that merge models.\n\n"
                           "usage: mecha PLAN [-o OUT] [options] [--PARAM VALUE ...]\n"
                           "       mecha COMMAND ...\n\ncommands:\n"));
    for (unsigned i = 0; i < n_commands; i++)
        builder_format(&out, "  %-12s  %s\n", commands[i].name, commands[i].summary);
    builder_add(&out, TEXT("\ntopics:\n"));
    for (int i = 0; i < TOPICS; i++)
        builder_format(&out, "  %-12s  %s\n", topics[i].name, topics[i].summary);
    builder_add(&out, TEXT("\nchapters of the language:\n"));
    list_chapters(&out);
    builder_add(&out, TEXT("\n'mecha help NAME' tells more about a command, topic or chapter;\n"
                           "'mecha --version' which version this is.\n"));
    print_result(&out);
}

void help_on_command(const Command *command) {
    Builder out = {0};
    builder_format(&out, "usage: mecha %s %s\n\n%s\n", command->name, command->operands,
                   command->summary);
    if (*command->details)
        builder_format(&out, "\n%s\n", command->details);
    builder_add(&out, TEXT("\noptions:\n"));
    options_print(command->bit, &out);
    builder_format(&out, "\nexample:\n  %s\n", command->example);
    print_result(&out);
}

static const Topic *topic_named(const char *name) {
    for (int i = 0; i < TOPICS; i++)
        if (strcmp(topics[i].name, name) == 0)
            return &topics[i];
    return NULL;
}

/* By its name, or by a word that only its name has: `mass` will do for `operators-and-mass`. */
static const Chapter *chapter_named(const char *name) {
    const Chapter *found = NULL;
    size_t size = strlen(name);
    for (unsigned i = 0; i < n_chapters && size > 0; i++) {
        const char *at = chapters[i].name;
        if (strcmp(at, name) == 0)
            return &chapters[i];
        while ((at = strstr(at, name)) != NULL && !((at == chapters[i].name || at[-1] == '-') &&
                                                    (at[size] == '-' || at[size] == '\0')))
            at++;
        if (at != NULL && found != NULL)
            return NULL;
        found = at != NULL ? &chapters[i] : found;
    }
    return found;
}

static void print_chapter(const Chapter *chapter) {
    Builder out = {0};
    builder_format(&out, "%s\n", chapter->title);
    for (const char *at = chapter->title; *at != '\0'; at++)
        builder_char(&out, '=');
    builder_format(&out, "\n%s", chapter->text);
    while (out.size > 1 && out.data[out.size - 2] == '\n')
        out.size--;
    print_result(&out);
}

/* The name of a chapter, and the words of which it is made, but for articles and such. */
static size_t chapter_words(const char *name, Text *words) {
    size_t count = 0;
    words[count++] = text_from(name);
    for (const char *at = name; *at != '\0' && count < WORD_LIMIT; at += at[0] == '-') {
        size_t size = strcspn(at, "-");
        if (size > 4)
            words[count++] = (Text){at, size};
        at += size;
    }
    return count;
}

static int no_such_topic(const Arguments *arguments, const char *name) {
    Text names[TOPICS + COMMAND_LIMIT + CHAPTER_LIMIT * WORD_LIMIT];
    size_t count = 0;
    for (int i = 0; i < TOPICS; i++)
        names[count++] = text_from(topics[i].name);
    for (unsigned i = 0; i < n_commands; i++)
        names[count++] = text_from(commands[i].name);
    for (unsigned i = 0; i < n_chapters && i < CHAPTER_LIMIT; i++)
        count += chapter_words(chapters[i].name, names + count);
    Text nearest = nearest_name(text_from(name), names, count);
    return nearest.size
               ? usage_error(arguments->command, "no help on '%.100s'; did you mean '%.*s'?", name,
                             TEXT_ARG(nearest))
               : usage_error(arguments->command, "no help on '%.100s'", name);
}

static void print_topic(const Topic *topic) {
    Builder out = {0};
    builder_add(&out, text_from(topic->words));
    if (topic->rest != NULL)
        topic->rest(&out);
    print_result(&out);
}

bool help_on_topic(const char *name) {
    const Command *command = command_named(name);
    const Topic *topic = topic_named(name);
    if (command)
        help_on_command(command);
    if (command && topic)
        putchar('\n');
    if (topic)
        print_topic(topic);
    const Chapter *chapter = chapter_named(name);
    bool exact = chapter != NULL && strcmp(chapter->name, name) == 0;
    if (chapter != NULL && (exact || (!command && !topic))) {
        if (command || topic)
            putchar('\n');
        print_chapter(chapter);
    }
    return command || topic || chapter != NULL;
}

void help_each_name(void (*each)(void *context, const char *name, const char *summary),
                    void *context) {
    for (unsigned i = 0; i < n_commands; i++)
        each(context, commands[i].name, commands[i].summary);
    for (int i = 0; i < TOPICS; i++)
        if (command_named(topics[i].name) == NULL)
            each(context, topics[i].name, topics[i].summary);
    for (unsigned i = 0; i < n_chapters; i++)
        if (command_named(chapters[i].name) == NULL && topic_named(chapters[i].name) == NULL)
            each(context, chapters[i].name, chapters[i].title);
}

int command_help(Arguments *arguments) {
    if (arguments->operands.count == 0) {
        help_overview();
        return STATUS_DONE;
    }
    const char *name = arguments->operands.items[0];
    return help_on_topic(name) ? STATUS_DONE : no_such_topic(arguments, name);
}
