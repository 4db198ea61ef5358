#include "tensor/tie.h"

#include "base/file.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>

static const char tie_name[] = "tie_word_embeddings";

static Tie tie_of(const json_t *config) {
    const json_t *value = json_object_get(config, tie_name);
    return json_is_true(value) ? TIE_TIED : json_is_false(value) ? TIE_UNTIED : TIE_UNSAID;
}

/* Of a model that has more than language, its own config is within. */
Tie tie_read(Text folder) {
    if (folder.size == 0)
        return TIE_UNSAID;
    Arena arena = {0};
    Text path = path_join(&arena, folder, TEXT("config.json"));
    Text text = TEXT("");
    struct stat status;
    int error;
    file_read_regular(&arena, path, FILE_TEXT_LIMIT, &text, &status, &error);
    json_t *config = json_loadb(text.data, text.size, 0, NULL);
    Tie tie = tie_of(config);
    if (tie == TIE_UNSAID)
        tie = tie_of(json_object_get(config, "text_config"));
    json_decref(config);
    arena_free(&arena);
    return tie;
}

/* Where the value of the key at AT begins; 0 where none does. */
static size_t find_truth(Text config, size_t at) {
    Text key = TEXT("\"tie_word_embeddings\"");
    if (!text_starts((Text){config.data + at, config.size - at}, key))
        return 0;
    for (at += key.size; at < config.size && isspace((unsigned char)config.data[at]);)
        at++;
    if (at == config.size || config.data[at] != ':')
        return 0;
    for (at++; at < config.size && isspace((unsigned char)config.data[at]);)
        at++;
    return at;
}

static Text truth(Tie tie) {
    return tie == TIE_TIED ? TEXT("true") : TEXT("false");
}

static void add_truth(Text config, Tie tie, Builder *out) {
    const char *brace = memchr(config.data, '{', config.size);
    size_t at = brace == NULL ? config.size : (size_t)(brace - config.data) + 1;
    builder_add(out, (Text){config.data, at});
    if (brace != NULL)
        builder_format(out, "\n  \"%s\": %.*s,", tie_name, TEXT_ARG(truth(tie)));
    builder_add(out, (Text){config.data + at, config.size - at});
}

void tie_write(Text config, Tie tie, Builder *out) {
    Text old = truth(tie == TIE_TIED ? TIE_UNTIED : TIE_TIED);
    size_t kept = 0;
    bool said = tie == TIE_UNSAID;
    for (size_t i = 0; i < config.size && tie != TIE_UNSAID; i++) {
        size_t at = find_truth(config, i);
        said |= at > 0;
        if (at == 0 || !text_starts((Text){config.data + at, config.size - at}, old))
            continue;
        builder_add(out, (Text){config.data + kept, at - kept});
        builder_add(out, truth(tie));
        kept = at + old.size;
    }
    if (!said)
        add_truth(config, tie, out);
    else
        builder_add(out, (Text){config.data + kept, config.size - kept});
}
