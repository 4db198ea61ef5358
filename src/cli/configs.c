/* mecha configs: the architectures. */
#include "cli/cli.h"

int command_configs(Arguments *arguments) {
    const MechaConfigParts *parts = &arguments->parts;
    if (arguments->operands.count == 0 && (parts->keys || parts->components || parts->blocks))
        return usage_error(arguments->command, "'mecha configs' needs NAME for that");
    Engine *engine = mecha_open(&arguments->engine);
    Builder words = {0};
    int status = STATUS_DONE;
    if (arguments->recipe != NULL &&
        !(mecha_load_file(engine, arguments->recipe) && mecha_define(engine)))
        status = STATUS_FAULT;
    else if (arguments->operands.count == 0)
        mecha_configs(engine, arguments->json, &words);
    else if (!mecha_config(engine, text_from(arguments->operands.items[0]), *parts, arguments->json,
                           &words))
        status = STATUS_FAULT;
    print_result(&words);
    return close_engine(engine, arguments, status);
}
