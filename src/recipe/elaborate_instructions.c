/* Instruction lists: each instruction makes one value. */
#include "recipe/recipe.h"

#include "base/vector.h"
#include "syntax/parse.h"

#include <assert.h>
#include <string.h>

typedef struct Elaboration {
    Arena *arena;
    Diags *diags;
    Recipe *recipe;
    Build *build;
    const InstructionList *list;
    NodeId *values; /* by instruction */
    FunctionCall *call;
    void *context;
} Elaboration;

static NodeId argument_value(Elaboration *elaboration, const InstructionArgument *argument) {
    Build *build = elaboration->build;
    switch (argument->kind) {
    case ARG_NULL:
        return build_null(build, argument->span);
    case ARG_BOOL:
        return build_number(build, argument->number, NUMBER_BOOL, argument->span);
    case ARG_INT:
        return build_number(build, argument->number, NUMBER_INT, argument->span);
    case ARG_FLOAT:
        return build_number(build, argument->number, NUMBER_FLOAT, argument->span);
    case ARG_STRING:
        return build_string(build, argument->text, argument->span);
    default:
        return elaboration->values[argument->reference];
    }
}

/* The arguments of model and literal by name or position: `model PATH model_config merge_space`. */
static const InstructionArgument *pick(const Instruction *instruction, Text name,
                                       uint32_t position) {
    uint32_t at = 0;
    for (uint32_t i = 0; i < instruction->n_arguments; i++) {
        const InstructionArgument *argument = &instruction->arguments[i];
        if (argument->name.size == 0 ? at++ == position : text_equal(argument->name, name))
            return argument;
    }
    return NULL;
}

static Text config_hint(const Instruction *instruction) {
    const InstructionArgument *argument = pick(instruction, TEXT("model_config"), 1);
    if (argument == NULL || argument->kind == ARG_NULL)
        return TEXT("");
    assert(argument->kind == ARG_STRING); /* the parser saw to that */
    return argument->text;
}

static SpaceSet space_hint(Elaboration *elaboration, const Instruction *instruction) {
    const InstructionArgument *argument = pick(instruction, TEXT("merge_space"), 2);
    if (argument == NULL || argument->kind == ARG_NULL)
        return 0;
    int space = argument->kind == ARG_STRING
                    ? library_find_space(elaboration->recipe->library, argument->text)
                    : -1;
    if (space >= 0)
        return SPACE_SET(space);
    diag_error(elaboration->diags, argument->span, "unknown merge space");
    Text names[] = {TEXT("weight"), TEXT("delta"), TEXT("param")};
    Text nearest = argument->kind == ARG_STRING ? nearest_name(argument->text, names, 3) : TEXT("");
    if (nearest.size > 0)
        diag_hint(elaboration->diags, "did you mean \"%.*s\"?", TEXT_ARG(nearest));
    else
        diag_hint(elaboration->diags, "one of \"weight\", \"delta\", \"param\", or null");
    return 0;
}

static NodeId make_model(Elaboration *elaboration, const Instruction *instruction) {
    const InstructionArgument *path = pick(instruction, TEXT("path"), 0);
    if (path == NULL || path->kind != ARG_STRING)
        return NODE_NONE;
    return build_model(elaboration->build, path->text, config_hint(instruction),
                       space_hint(elaboration, instruction), instruction->span);
}

static NodeId make_dict(Elaboration *elaboration, const Instruction *instruction, Text config,
                        SpaceSet spaces, Span span) {
    uint32_t n = instruction->n_arguments;
    MapEntry *entries = arena_array(elaboration->arena, MapEntry, n + 1);
    NodeId *values = arena_array(elaboration->arena, NodeId, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        const InstructionArgument *argument = &instruction->arguments[i];
        entries[i] = (MapEntry){ENTRY_KEY, argument->name, TEXT(""), argument->name_span};
        values[i] = argument_value(elaboration, argument);
    }
    return build_map(elaboration->build, entries, values, n, config, spaces, span);
}

/* A literal gives a dict its config and space. */
static NodeId make_literal(Elaboration *elaboration, const Instruction *instruction) {
    const InstructionArgument *dict = pick(instruction, TEXT("value_dict"), 0);
    if (dict == NULL)
        dict = pick(instruction, TEXT("value"), 0);
    assert(dict != NULL && dict->kind == ARG_REFERENCE); /* to a dict: the parser saw to that */
    return make_dict(elaboration, &elaboration->list->items[dict->reference],
                     config_hint(instruction), space_hint(elaboration, instruction),
                     instruction->span);
}

static NodeId make_merge(Elaboration *elaboration, const Instruction *instruction) {
    const InstructionArgument *name = &instruction->arguments[0];
    const Definition *definition =
        library_find(elaboration->recipe->library, DEFINITION_METHOD, name->text);
    if (definition == NULL)
        definition = library_find(elaboration->recipe->library, DEFINITION_FUNCTION, name->text);
    if (definition == NULL) {
        diag_error(elaboration->diags, name->span, "unknown merge method '%.*s'",
                   TEXT_ARG(text_printable(elaboration->arena, name->text)));
        Text nearest = scope_nearest(elaboration->recipe->scope, DEFINITION_METHOD, name->text);
        if (nearest.size > 0)
            diag_hint(elaboration->diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
        return NODE_NONE;
    }
    VECTOR(Argument) arguments = {0};
    for (uint32_t i = 1; i < instruction->n_arguments; i++) {
        const InstructionArgument *argument = &instruction->arguments[i];
        vector_push(&arguments, (Argument){argument->name, argument->name_span, argument->span,
                                           argument_value(elaboration, argument)});
    }
    uint32_t n = (uint32_t)arguments.count;
    NodeId id = definition->kind == DEFINITION_METHOD
                    ? build_call(elaboration->build, definition->method, arguments.items, n,
                                 instruction->span)
                    : elaboration->call(elaboration->context, definition, arguments.items, n,
                                        instruction->span);
    vector_free(&arguments);
    return id;
}

static NodeId make_value(Elaboration *elaboration, const Instruction *instruction) {
    switch (instruction->command) {
    case INSTRUCTION_MODEL:
        return make_model(elaboration, instruction);
    case INSTRUCTION_DICT:
        return make_dict(elaboration, instruction, TEXT(""), 0, instruction->span);
    case INSTRUCTION_LITERAL:
        return make_literal(elaboration, instruction);
    default:
        return make_merge(elaboration, instruction);
    }
}

void elaborate_instructions(Arena *arena, Diags *diags, Recipe *recipe, uint32_t source,
                            FunctionCall *call, void *context) {
    InstructionList list = parse_instructions(arena, diags, source);
    if (list.failed || list.count == 0)
        return;
    Elaboration elaboration = {.arena = arena,
                               .diags = diags,
                               .recipe = recipe,
                               .build = recipe->build,
                               .list = &list,
                               .call = call,
                               .context = context,
                               .values = arena_array(arena, NodeId, list.count)};
    for (uint32_t i = 0; i < list.count; i++)
        elaboration.values[i] = make_value(&elaboration, &list.items[i]);
    recipe->outputs = arena_new(arena, RecipeOutput);
    recipe->n_outputs = 1;
    recipe->outputs[0] = (RecipeOutput){.node = elaboration.values[list.count - 1],
                                        .span = list.items[list.count - 1].span};
}
