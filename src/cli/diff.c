/* mecha diff: where and how much two models differ. */
#include "cli/cli.h"

int command_diff(Arguments *arguments) {
    const char *const *models = arguments->operands.items;
    arguments->engine.keep_non_finite = true; /* they are differences, too */
    Engine *engine = mecha_open(&arguments->engine);
    Builder words = {0}, page = {0};
    bool different = false;
    bool good = mecha_diff(engine, models[0], models[1], &different);
    if (good && arguments->html != NULL) {
        mecha_diff_html(engine, &page);
        good = replace_file(arguments->html, builder_view(&page));
    }
    if (good && arguments->json)
        mecha_diff_json(engine, &words);
    else if (good)
        mecha_diff_text(engine, stream_has_colour(stdout), &words);
    print_result(&words);
    builder_free(&page);
    return close_engine(engine, arguments, good && !different ? STATUS_DONE : STATUS_FAULT);
}
