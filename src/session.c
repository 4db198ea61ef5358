/* What a session asks of the library: the statements of a text, and the names that could be typed
 * at a place in it. */
#include "engine.h"

#include "base/vector.h"
#include "syntax/parse.h"

#include <string.h>

MechaModels *mecha_models_open(void) {
    return models_new();
}

void mecha_models_close(MechaModels *models) {
    models_free(models);
}

/* ---- statements ---- */

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == ';';
}

/* Where what belongs to a statement that ends at END is over: behind a comment on its line. */
static size_t statement_end(Text text, size_t end) {
    size_t at = end;
    while (at < text.size && is_blank(text.data[at]))
        at++;
    bool comment = at < text.size && text.data[at] == '#';
    while (comment && at < text.size && text.data[at] != '\n')
        at++;
    return comment ? at : end;
}

static size_t statement_begin(Text text, size_t begin) {
    while (begin < text.size && (is_blank(text.data[begin]) || text.data[begin] == '\n'))
        begin++;
    return begin;
}

static MechaStatementKind statement_kind(const Ast *ast) {
    switch (ast->kind) {
    case AST_BIND:
    case AST_PARAM:
    case AST_IMPORT:
        return MECHA_BINDING;
    case AST_SAVE:
        return MECHA_SAVE;
    case AST_DEF:
    case AST_METHOD:
    case AST_CONFIG:
    case AST_TEMPLATE:
    case AST_CONVERSION:
        return MECHA_DEFINITION;
    default:
        return MECHA_EXPRESSION;
    }
}

static Text statement_name(const Ast *ast) {
    bool named = statement_kind(ast) <= MECHA_DEFINITION;
    return !named ? TEXT("") : ast->kind == AST_CONFIG ? ast->a->text : ast->text;
}

static uint32_t count_lines(Text text, size_t end) {
    uint32_t lines = 0;
    for (size_t i = 0; i < end; i++)
        lines += text.data[i] == '\n';
    return lines;
}

static const MechaStatement *divide(Arena *arena, const SourcePart *part, const Ast *file) {
    MechaStatement *statements = arena_array(arena, MechaStatement, file->n_items + 1);
    size_t begin = 0;
    for (uint32_t i = 0; i < file->n_items; i++) {
        const Ast *ast = file->items[i];
        begin = statement_begin(part->text, begin);
        size_t end = statement_end(part->text, ast->span.end);
        statements[i] = (MechaStatement){.kind = statement_kind(ast),
                                         .name = statement_name(ast),
                                         .text = {part->text.data + begin, end - begin},
                                         .line = part->line + count_lines(part->text, begin)};
        begin = end;
    }
    return statements;
}

/* What stops at the end of a text may go on behind it. */
static bool may_go_on(const Diags *diags, Text text) {
    size_t end = text.size;
    while (end > 0 && (is_blank(text.data[end - 1]) || text.data[end - 1] == '\n'))
        end--;
    return diags_count(diags) > 0 && diags_at(diags, 0)->span.begin >= end;
}

MechaReading mecha_statements(Engine *engine, const SourcePart *part,
                              const MechaStatement **statements, size_t *count) {
    *count = 0;
    if (source_dialect(part->text) == DIALECT_INSTRUCTIONS) {
        diag_error(engine->diags, SPAN_NONE,
                   "%.*s is an instruction list, which is no part of a recipe",
                   TEXT_ARG(part->name));
        diag_hint(engine->diags, "a session is made of statements of the recipe language");
        return MECHA_MALFORMED;
    }
    size_t errors = diag_errors(engine->diags);
    uint32_t source = diags_source_of(engine->diags, part, 1);
    const Ast *file = parse_recipe(&engine->arena, engine->diags, source);
    if (diag_errors(engine->diags) > errors)
        return may_go_on(engine->diags, part->text) ? MECHA_UNFINISHED : MECHA_MALFORMED;
    SourcePart kept = *part;
    kept.text = diags_find(engine->diags, source)->text;
    *statements = divide(&engine->arena, &kept, file);
    *count = file->n_items;
    return MECHA_STATEMENTS;
}

/* ---- names ---- */

typedef VECTOR(Text) TextVector;

/* What is loaded was found to be well. */
static const Ast *parse_loaded(Engine *engine) {
    if (engine->source == 0)
        return arena_new(&engine->arena, Ast);
    return parse_recipe(&engine->arena, engine->diags, engine->source);
}

static void add_bound(Engine *engine, TextVector *names) {
    const Ast *file = parse_loaded(engine);
    for (uint32_t i = 0; i < file->n_items; i++)
        if (statement_kind(file->items[i]) == MECHA_BINDING)
            vector_push(names, file->items[i]->text);
}

static void add_called(Engine *engine, TextVector *names) {
    const Ast *file = parse_loaded(engine);
    for (uint32_t i = 0; i < file->n_items; i++)
        if (file->items[i]->kind == AST_DEF || file->items[i]->kind == AST_METHOD)
            vector_push(names, file->items[i]->text);
    size_t count;
    const MechaMethod *methods = mecha_methods(engine, &count);
    for (size_t i = 0; i < count; i++)
        vector_push(names, methods[i].name);
    vector_push(names, TEXT("model"));
}

static void add_formals_of(const Ast *definition, TextVector *names) {
    for (uint32_t i = 0; i < definition->n_items; i++)
        if (!definition->items[i]->variadic)
            vector_push(names, definition->items[i]->text);
}

static void add_formals(Engine *engine, Text of, TextVector *names) {
    static const DefinitionKind kinds[] = {DEFINITION_FUNCTION, DEFINITION_METHOD};
    const Ast *file = parse_loaded(engine);
    for (uint32_t i = 0; i < file->n_items; i++) {
        const Ast *item = file->items[i];
        if ((item->kind == AST_DEF || item->kind == AST_METHOD) && text_equal(item->text, of)) {
            add_formals_of(item, names);
            return;
        }
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const Definition *found = library_find(engine->library, kinds[i], of);
        if (found != NULL) {
            add_formals_of(found->syntax, names);
            return;
        }
    }
}

static void add_configs(Engine *engine, TextVector *names) {
    size_t count;
    const Definition *const *all = library_list(engine->library, AST_CONFIG, &count);
    for (size_t i = 0; i < count; i++)
        vector_push(names, all[i]->name);
}

static const Domain *considered(const Engine *engine) {
    if (engine->solved == NULL || engine->recipe->n_outputs == 0)
        return NULL;
    return &engine->solved->domains[engine->solved->domain_of[engine->recipe->outputs[0].node]];
}

/* Of every config that a domain has; without a domain, of those that were ever asked for. */
static void add_parts(Engine *engine, bool blocks, TextVector *names) {
    for (uint32_t i = 0; engine->solved != NULL && i < engine->solved->n_domains; i++) {
        const Config *config = engine->solved->domains[i].config;
        if (config == NULL)
            continue;
        for (uint32_t k = 0; k < (blocks ? config->n_blocks : config->n_components); k++)
            vector_push(names, blocks ? config->blocks[k] : config->components[k]);
    }
}

static void add_keys(Engine *engine, TextVector *names) {
    const Domain *domain = considered(engine);
    for (KeyId key = 0; domain != NULL && key < domain->n_keys; key++)
        if (keys_have(engine->solved->output_keys[0], key))
            vector_push(names, domain->keys[key]);
}

const Text *mecha_names(Engine *engine, MechaNames what, Text of, size_t *count) {
    TextVector names = {0};
    switch (what) {
    case MECHA_NAMES_BOUND:
        add_bound(engine, &names);
        break;
    case MECHA_NAMES_CALLED:
        add_called(engine, &names);
        break;
    case MECHA_NAMES_FORMALS:
        add_formals(engine, of, &names);
        break;
    case MECHA_NAMES_CONFIGS:
        add_configs(engine, &names);
        break;
    case MECHA_NAMES_COMPONENTS:
    case MECHA_NAMES_BLOCKS:
        add_parts(engine, what == MECHA_NAMES_BLOCKS, &names);
        break;
    case MECHA_NAMES_KEYS:
        add_keys(engine, &names);
        break;
    }
    const Text *kept = arena_copy(&engine->arena, names.items, names.count * sizeof *names.items);
    *count = names.count;
    vector_free(&names);
    return kept;
}
