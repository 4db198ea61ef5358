/* The commands, as the program knows and explains them. */
#include "cli/cli.h"

#include <string.h>

const Command commands[] = {
    {"run", COMMAND_RUN, "PLAN [-o OUT] [options] [--PARAM VALUE ...]",
     "evaluate a recipe and write its outputs",
     "PLAN is a recipe in either dialect, or - for standard input. 'mecha PLAN' is the same, so\n"
     "recipes that begin with '#!/usr/bin/env mecha' are programs. An option after PLAN that is\n"
     "none of those below sets a parameter of the recipe.",
     "mecha run blend.mecha -o blend.safetensors --dtype bf16", 1, 1, command_run},
    {"check", COMMAND_CHECK, "PLAN [options]", "everything but the evaluation",
     "Reads the recipe and the headers of its models, never their data. Silent when all is well.",
     "mecha check blend.mecha", 1, 1, command_check},
    {"explain", COMMAND_EXPLAIN, "PLAN [options]",
     "the optimised plan: passes, bytes, memory, shared work",
     "For groups of keys, what each pass over the data reads, computes and finds, in the recipe's\n"
     "terms and lines, and what is held from one to the next, and why. Terms that were folded "
     "away\n"
     "are computed as a part of others, or not needed.",
     "mecha explain blend.mecha -o blend.safetensors", 1, 1, command_explain},
    {"compile", COMMAND_COMPILE, "PLAN [-o OUT.mecha]", "a recipe as an instruction list", "",
     "mecha compile blend.mecha -o blend.list.mecha", 1, 1, command_compile},
    {"graph", COMMAND_GRAPH, "PLAN [-o FILE.dot|FILE.svg]", "a picture of what is merged with what",
     "Prints the graph of a recipe in the DOT language, or writes it to FILE. FILE.svg, FILE.png "
     "and\n"
     "FILE.pdf are drawn by Graphviz's program 'dot', which has to be there.",
     "mecha graph blend.mecha -o blend.svg", 1, 1, command_graph},
    {"fmt", COMMAND_FMT, "PLAN... [-w|--check]", "a recipe laid out as it should be",
     "Prints the recipe, unless -w or --check says otherwise. What it means never changes.",
     "mecha fmt -w blend.mecha", 1, 100000, command_fmt},
    {"repl", COMMAND_REPL, "[PLAN] [options]", "statements typed one by one, and looked at",
     "Statements are taken into the session, expressions are shown, and commands begin with a\n"
     "colon: ':help' lists them. 'mecha' alone is the same. PLAN is a recipe to begin with. "
     "Through\n"
     "a pipe there is no prompt, and the first mistake ends it.",
     "mecha repl blend.mecha", 0, 1, command_repl},
    {"info", COMMAND_INFO, "FILE... [--keys GLOB] [--json]",
     "what a model holds: config, components, dtypes, sizes, metadata",
     "Several files, or a folder of them, are a line each. Of a network (LoRA, LoHa, LoKr, …) also "
     "the types, ranks and alphas of its modules. --keys lists "
     "keys,\n"
     "and before them the modules whose targets match.",
     "mecha info blend.safetensors --keys '*attn2*'", 1, 100000, command_info},
    {"recipe", COMMAND_RECIPE, "FILE [--verify [--json]]", "the recipe that a model was made with",
     "Models that mecha wrote carry a recipe that makes them again: with imports inlined, "
     "parameters\n"
     "bound, and options as they were. Of those that sd-mecha wrote it is the instruction list.\n"
     "'mecha run FILE' runs it. --verify tells instead whether the inputs are what they were, if "
     "that\n"
     "was recorded by 'run --record-hashes'; exit status 1 if one is not.",
     "mecha recipe blend.safetensors | mecha run - -o again.safetensors", 1, 1, command_recipe},
    {"diff", COMMAND_DIFF, "A B [--json] [--html FILE]", "where and how much two models differ",
     "Keys that only one has, shapes and dtypes that differ, and for each component and block the\n"
     "cosine, the norm of the difference relative to A, its maximum, and the share of elements "
     "that\n"
     "changed. Exit status 1 where they differ.",
     "mecha diff base.safetensors tune.safetensors --html diff.html", 2, 2, command_diff},
    {"methods", COMMAND_METHODS, "[NAME]", "the merge methods, or one of them with its source", "",
     "mecha methods slerp", 0, 1, command_methods},
    {"configs", COMMAND_CONFIGS,
     "[NAME] [--recipe FILE] [--keys] [--components] [--blocks] [--json]",
     "the architectures that are known, or one of them", "", "mecha configs sdxl-sgm --blocks", 0,
     1, command_configs},
    {"completion", COMMAND_COMPLETION, "bash|zsh|fish", "what a shell completes mecha's words with",
     "Prints a script for that shell: commands, options and their values, names of methods, "
     "configs\n"
     "and topics, and (bash, zsh) the parameters of a recipe. 'make install' installs all three.",
     "mecha completion bash > ~/.local/share/bash-completion/completions/mecha", 1, 1,
     command_completion},
    {"help", COMMAND_HELP, "[TOPIC]", "how to use a command, or about a topic", "",
     "mecha help paths", 0, 1, command_help},
};
const unsigned n_commands = sizeof commands / sizeof *commands;
_Static_assert(sizeof commands / sizeof *commands <= COMMAND_LIMIT, "too many commands");

const Command *command_named(const char *name) {
    for (unsigned i = 0; i < n_commands; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}
