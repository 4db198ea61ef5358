/* mecha info: what models hold. */
#include "cli/cli.h"

int command_info(Arguments *arguments) {
    Engine *engine = mecha_open(&arguments->engine);
    int status = STATUS_DONE;
    for (size_t i = 0; i < arguments->operands.count; i++) {
        Builder words = {0};
        bool keys = arguments->keys != NULL;
        if (!mecha_info(engine, arguments->operands.items[i], keys, arguments->keys,
                        arguments->json, &words))
            status = STATUS_FAULT;
        else if (i > 0 && !arguments->json)
            putchar('\n');
        print_result(&words);
    }
    return close_engine(engine, arguments, status);
}
