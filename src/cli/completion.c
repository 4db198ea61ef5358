/* mecha completion: scripts for shells, written from the tables of commands and options. */
#include "cli/cli.h"

#include <string.h>

typedef struct Script {
    Builder *out;
    const Command *command; /* at hand */
} Script;

/* TEXT within single quotes, as all three shells read them in places where no escape is known. */
static void add_quoted(Builder *out, const char *text) {
    builder_char(out, '\'');
    for (; *text != '\0'; text++)
        if (*text == '\'')
            builder_add(out, TEXT("’"));
        else
            builder_char(out, *text);
    builder_char(out, '\'');
}

static void add_name(void *context, const char *name, const char *summary) {
    (void)summary;
    builder_format(context, "%s ", name);
}

static void add_commands(Builder *out, const char *between) {
    for (unsigned i = 0; i < n_commands; i++)
        builder_format(out, "%s%s", i > 0 ? between : "", commands[i].name);
}

/* `a|b` as `a b` */
static void add_choices(Builder *out, const char *choices) {
    for (; *choices != '\0'; choices++)
        builder_char(out, *choices == '|' ? ' ' : *choices);
}

/* What stands in front of the file names that a command takes. */
static const char list_methods[] = "mecha methods 2>/dev/null | cut -d' ' -f1";
static const char list_configs[] = "mecha configs 2>/dev/null | cut -d' ' -f1";

/* ---- bash ---- */

static void bash_word(void *context, const OptionShown *option) {
    Script *script = context;
    builder_format(script->out, " --%s", option->name);
}

static void bash_value(void *context, const OptionShown *option) {
    Script *script = context;
    if (option->kind == VALUE_NO)
        return;
    builder_format(script->out, "    %s:--%s", script->command->name, option->name);
    if (option->letter != 0)
        builder_format(script->out, "|%s:-%c", script->command->name, option->letter);
    builder_add(script->out, TEXT(") "));
    if (option->kind == VALUE_CHOICE) {
        builder_add(script->out, TEXT("mapfile -t COMPREPLY < <(compgen -W '"));
        add_choices(script->out, option->value);
        builder_add(script->out, TEXT("' -- \"$cur\"); "));
    } else if (option->kind == VALUE_FILE) {
        builder_add(script->out, TEXT("mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); "));
    } else if (option->kind == VALUE_FOLDER) {
        builder_add(script->out, TEXT("mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); "));
    }
    builder_add(script->out, TEXT("return ;;\n"));
}

static const char bash_begin[] =
    "# What bash completes the words of mecha with, as `mecha completion bash` writes it.\n"
    "_mecha() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=run words=\n"
    "    local plan=${COMP_WORDS[2]}\n"
    "    case ${COMP_WORDS[1]} in\n    ";
static const char bash_operands[] =
    "    case $command in\n"
    "    run|check|explain|compile|graph) [[ $cur == -* && -f $plan ]] && words+=\" \"$(mecha run "
    "\"$plan\" --help 2>/dev/null | sed -n 's/^  \\(--[A-Za-z0-9_-]*\\).*/\\1/p') ;;\n";
static const char bash_end[] =
    "    esac\n"
    "    mapfile -t COMPREPLY < <(\n"
    "        compgen -W \"$words\" -- \"$cur\"\n"
    "        [[ $cur == -* || $command == help || $command == completion ]] || compgen -f -- "
    "\"$cur\")\n"
    "}\n"
    "complete -o filenames -F _mecha mecha\n";

static void write_bash(Builder *out) {
    Script script = {.out = out};
    builder_add(out, text_from(bash_begin));
    add_commands(out, "|");
    builder_add(out,
                TEXT(") command=${COMP_WORDS[1]} ;;\n    *) plan=${COMP_WORDS[1]} ;;\n    esac\n"
                     "    if [[ $COMP_CWORD -eq 1 ]]; then\n        words='"));
    add_commands(out, " ");
    builder_add(out, TEXT(" --help --version'\n"
                          "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\"; "
                          "compgen -f -- \"$cur\")\n        return\n    fi\n"
                          "    case $command:$prev in\n"));
    for (unsigned i = 0; i < n_commands; i++) {
        script.command = &commands[i];
        options_each(commands[i].bit, bash_value, &script);
    }
    builder_add(out, TEXT("    esac\n    [[ $cur == -* ]] && case $command in\n"));
    for (unsigned i = 0; i < n_commands; i++) {
        builder_format(out, "    %s) words='", commands[i].name);
        options_each(commands[i].bit, bash_word, &script);
        builder_add(out, TEXT("' ;;\n"));
    }
    builder_add(out, TEXT("    esac\n"));
    builder_add(out, text_from(bash_operands));
    builder_format(out, "    methods) [[ $cur == -* ]] || words=$(%s) ;;\n", list_methods);
    builder_format(out, "    configs) [[ $cur == -* ]] || words=$(%s) ;;\n", list_configs);
    builder_add(out, TEXT("    completion) words+=' bash zsh fish' ;;\n    help) words+=' "));
    help_each_name(add_name, out);
    builder_add(out, TEXT("' ;;\n"));
    builder_add(out, text_from(bash_end));
}

/* ---- zsh ---- */

/* In the words of _arguments, brackets and colons mean something. */
static void add_zsh_help(Builder *out, const char *help) {
    for (; *help != '\0'; help++) {
        if (strchr("[]:", *help) != NULL)
            builder_char(out, '\\');
        builder_add(out, *help == '\'' ? TEXT("’") : (Text){help, 1});
    }
}

static void zsh_option(void *context, const OptionShown *option) {
    Builder *out = ((Script *)context)->out;
    builder_add(out, TEXT(" \\\n            "));
    if (option->letter != 0)
        builder_format(out, "{-%c,--%s}", option->letter, option->name);
    else
        builder_format(out, "--%s", option->name);
    builder_add(out, TEXT("'["));
    add_zsh_help(out, option->help);
    builder_char(out, ']');
    if (option->kind != VALUE_NO)
        builder_format(out, ":%s:", option->kind == VALUE_CHOICE ? "choice" : option->value);
    if (option->kind == VALUE_CHOICE) {
        builder_char(out, '(');
        add_choices(out, option->value);
        builder_char(out, ')');
    } else if (option->kind == VALUE_FILE || option->kind == VALUE_FOLDER) {
        builder_add(out, option->kind == VALUE_FILE ? TEXT("_files") : TEXT("_files -/"));
    }
    builder_char(out, '\'');
}

static void zsh_operands(const Command *command, Builder *out) {
    if (command->bit == COMMAND_METHODS)
        builder_format(out, "'1:method:(${(f)\"$(%s)\"})'",
                       "mecha methods 2>/dev/null | cut -d\" \" -f1");
    else if (command->bit == COMMAND_CONFIGS)
        builder_format(out, "'1:config:(${(f)\"$(%s)\"})'",
                       "mecha configs 2>/dev/null | cut -d\" \" -f1");
    else if (command->bit == COMMAND_COMPLETION)
        builder_add(out, TEXT("'1:shell:(bash zsh fish)'"));
    else if (command->bit == COMMAND_HELP) {
        builder_add(out, TEXT("'1:topic:("));
        help_each_name(add_name, out);
        builder_add(out, TEXT(")'"));
    } else {
        builder_add(out, TEXT("'*:file:_files'"));
    }
}

static void write_zsh(Builder *out) {
    Script script = {.out = out};
    builder_add(out, TEXT("#compdef mecha\n"
                          "# What zsh completes the words of mecha with, as `mecha completion zsh` "
                          "writes it.\n"
                          "_mecha() {\n    local -a names parameters\n    names=(\n"));
    for (unsigned i = 0; i < n_commands; i++) {
        builder_format(out, "        '%s:", commands[i].name);
        add_zsh_help(out, commands[i].summary);
        builder_add(out, TEXT("'\n"));
    }
    builder_add(out,
                TEXT("    )\n    if (( CURRENT == 2 )); then\n"
                     "        _describe command names\n        _files\n        return\n    fi\n"
                     "    local command=run plan=$words[2]\n"
                     "    if (( ${names[(I)$words[2]:*]} )); then\n"
                     "        command=$words[2] plan=$words[3]\n"
                     "        shift words\n        (( CURRENT-- ))\n    fi\n"
                     "    [[ -f $plan ]] && parameters=(${(f)\"$(mecha run $plan --help "
                     "2>/dev/null | sed -n 's/^  \\(--[A-Za-z0-9_-]*\\).*/\\1:value:/p')\"})\n"
                     "    case $command in\n"));
    for (unsigned i = 0; i < n_commands; i++) {
        script.command = &commands[i];
        bool plan = (commands[i].bit & COMMANDS_PREPARING) != 0;
        builder_format(out, "    %s)\n        _arguments%s", commands[i].name,
                       plan ? " $parameters" : "");
        options_each(commands[i].bit, zsh_option, &script);
        builder_add(out, TEXT(" \\\n            "));
        zsh_operands(&commands[i], out);
        builder_add(out, TEXT(" ;;\n"));
    }
    builder_add(out, TEXT("    esac\n}\n"
                          "if [[ $funcstack[1] == _mecha ]]; then\n    _mecha \"$@\"\n"
                          "else\n    compdef _mecha mecha\nfi\n"));
}

/* ---- fish ---- */

static void fish_option(void *context, const OptionShown *option) {
    Script *script = context;
    Builder *out = script->out;
    bool runs = script->command->bit == COMMAND_RUN;
    builder_format(out, "complete -c mecha -n '%s__fish_seen_subcommand_from %s' -l %s",
                   runs ? "__fish_use_subcommand; or " : "", script->command->name, option->name);
    if (option->letter != 0)
        builder_format(out, " -s %c", option->letter);
    if (option->kind == VALUE_FILE)
        builder_add(out, TEXT(" -r -F"));
    else if (option->kind == VALUE_FOLDER)
        builder_add(out, TEXT(" -x -a '(__fish_complete_directories)'"));
    else if (option->kind != VALUE_NO)
        builder_add(out, TEXT(" -x"));
    if (option->kind == VALUE_CHOICE) {
        builder_add(out, TEXT(" -a '"));
        add_choices(out, option->value);
        builder_char(out, '\'');
    }
    builder_add(out, TEXT(" -d "));
    add_quoted(out, option->help);
    builder_char(out, '\n');
}

static void fish_topic(void *context, const char *name, const char *summary) {
    Builder *out = context;
    builder_format(out, "complete -c mecha -n '__fish_seen_subcommand_from help' -f -a %s -d ",
                   name);
    add_quoted(out, summary);
    builder_char(out, '\n');
}

static void write_fish(Builder *out) {
    Script script = {.out = out};
    builder_add(out,
                TEXT("# What fish completes the words of mecha with, as `mecha completion fish` "
                     "writes it.\n"));
    for (unsigned i = 0; i < n_commands; i++) {
        builder_format(out, "complete -c mecha -n __fish_use_subcommand -a %s -d ",
                       commands[i].name);
        add_quoted(out, commands[i].summary);
        builder_char(out, '\n');
    }
    for (unsigned i = 0; i < n_commands; i++) {
        script.command = &commands[i];
        options_each(commands[i].bit, fish_option, &script);
    }
    builder_format(out,
                   "complete -c mecha -n '__fish_seen_subcommand_from methods' -f -a \"(%s)\"\n",
                   list_methods);
    builder_format(out,
                   "complete -c mecha -n '__fish_seen_subcommand_from configs' -f -a \"(%s)\"\n",
                   list_configs);
    builder_add(out, TEXT("complete -c mecha -n '__fish_seen_subcommand_from completion' -f -a "
                          "'bash zsh fish'\n"));
    help_each_name(fish_topic, out);
}

int command_completion(Arguments *arguments) {
    static const struct {
        const char *name;
        void (*write)(Builder *out);
    } shells[] = {{"bash", write_bash}, {"zsh", write_zsh}, {"fish", write_fish}};
    Builder out = {0};
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
        if (strcmp(arguments->operands.items[0], shells[i].name) == 0)
            shells[i].write(&out);
    if (out.size == 0)
        return usage_error(arguments->command, "'%.100s' is none of bash, zsh and fish",
                           arguments->operands.items[0]);
    print_result(&out);
    return STATUS_DONE;
}
