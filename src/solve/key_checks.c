/* What follows from the bodies of methods for keys, and what is wrong with maps. */
#include "solve/keys.h"

#include "base/glob.h"

#include <stdlib.h>
#include <string.h>

/* ---- bodies ---- */

typedef struct BoundSet {
    Text name;
    SetId set;
} BoundSet;

typedef struct BodyReader {
    KeySolver *solver;
    VECTOR(BoundSet) bound;
} BodyReader;

static SetId body_set(BodyReader *reader, const Ast *ast);

static SetId name_set(const BodyReader *reader, Text name) {
    for (size_t i = reader->bound.count; i > 0; i--)
        if (text_equal(reader->bound.items[i - 1].name, name))
            return reader->bound.items[i - 1].set;
    return 0;
}

static SetId both(BodyReader *reader, SetId a, SetId b) {
    return keys_combine(reader->solver, a, b, true);
}

/* Statements bind names for those behind them. */
static SetId block_set(BodyReader *reader, const Ast *block) {
    size_t bound = reader->bound.count;
    SetId last = 0;
    for (uint32_t i = 0; i < block->n_items; i++) {
        const Ast *statement = block->items[i];
        if (statement->kind == AST_BIND) {
            SetId set = body_set(reader, statement->a);
            vector_push(&reader->bound, (BoundSet){statement->text, set});
        } else {
            last = body_set(reader, statement);
        }
    }
    reader->bound.count = bound;
    return last;
}

static SetId comprehension_set(BodyReader *reader, const Ast *ast) {
    SetId list = body_set(reader, ast->b);
    vector_push(&reader->bound, (BoundSet){ast->text, list});
    SetId items = both(reader, list, body_set(reader, ast->a));
    SetId condition = ast->c != NULL ? body_set(reader, ast->c) : 0;
    reader->bound.count--;
    return both(reader, items, condition);
}

/* Long chains lean to the left. */
static SetId binary_set(BodyReader *reader, const Ast *ast) {
    VECTOR(const Ast *) spine = {0};
    for (; ast->kind == AST_BINARY; ast = ast->a)
        vector_push(&spine, ast);
    SetId set = body_set(reader, ast);
    while (spine.count > 0) {
        const Ast *step = spine.items[--spine.count];
        set =
            keys_combine(reader->solver, set, body_set(reader, step->b), step->op != AST_FALLBACK);
    }
    vector_free(&spine);
    return set;
}

static SetId body_set(BodyReader *reader, const Ast *ast) {
    if (ast == NULL)
        return 0;
    switch (ast->kind) {
    case AST_NAME:
        return name_set(reader, ast->text);
    case AST_BLOCK:
        return block_set(reader, ast);
    case AST_FOR:
        return comprehension_set(reader, ast);
    case AST_BINARY:
        return binary_set(reader, ast);
    default: {
        SetId set = ast->kind == AST_CALL ? 0 : body_set(reader, ast->a);
        set = both(reader, set, body_set(reader, ast->b));
        set = both(reader, set, body_set(reader, ast->c));
        for (uint32_t i = 0; i < ast->n_items; i++)
            set = both(reader, set, body_set(reader, ast->items[i]));
        return set;
    }
    }
}

SetId keys_of_body(KeySolver *solver, const Method *method, const SetId *parameters) {
    BodyReader reader = {.solver = solver};
    for (uint32_t p = 0; p < method->n_parameters; p++)
        vector_push(&reader.bound, (BoundSet){method->parameters[p].name, parameters[p]});
    SetId set = body_set(&reader, method->body);
    vector_free(&reader.bound);
    return set;
}

/* ---- maps ---- */

static bool has_patterns(const Node *node) {
    return node->kind == NODE_MAP && node->n_operands > 0 && node->entries[0].kind != ENTRY_KEY;
}

static bool check_block(KeySolver *solver, const MapEntry *entry, Text name) {
    const Config *config = solver->domain->config;
    Text shown = text_printable(solver->arena, name);
    if (config == NULL) {
        diag_error(solver->diags, entry->span,
                   "'%.*s' would be a block, but the architecture is not known", TEXT_ARG(shown));
        diag_hint(solver->diags, "patterns over keys are strings: \"*.%.*s.*\"", TEXT_ARG(shown));
        return false;
    }
    if (config_block(config, name) != INDEX_NONE)
        return true;
    diag_error(solver->diags, entry->span, "'%.*s' has no block '%.*s'", TEXT_ARG(config->name),
               TEXT_ARG(shown));
    Text nearest = nearest_name(name, config->blocks, config->n_blocks);
    if (nearest.size > 0)
        diag_hint(solver->diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
    else if (config->n_blocks > 0)
        diag_hint(solver->diags, "its blocks go from %.*s to %.*s", TEXT_ARG(config->blocks[0]),
                  TEXT_ARG(config->blocks[config->n_blocks - 1]));
    return false;
}

static void check_glob(KeySolver *solver, const MapEntry *entry, KeySet there) {
    const Domain *domain = solver->domain;
    KeyId some = 0;
    for (KeyId key = domain->n_keys; key-- > 0;) {
        if (!keys_have(there, key))
            continue;
        if (glob_matches(entry->first, domain->keys[key]))
            return;
        some = key;
    }
    if (domain->n_keys == 0)
        return;
    diag_error(solver->diags, entry->span, "no key matches \"%.*s\"",
               TEXT_ARG(text_printable(solver->arena, entry->first)));
    diag_hint(solver->diags, "a key is, for instance, %.*s",
              TEXT_ARG(text_printable(solver->arena, domain->keys[some])));
}

/* Every pattern is for one of the keys that are THERE. */
static void check_patterns(KeySolver *solver, const MapEntry *entries, uint32_t n, KeySet there) {
    for (uint32_t i = 0; i < n; i++) {
        const MapEntry *entry = &entries[i];
        if (entry->kind == ENTRY_GLOB)
            check_glob(solver, entry, there);
        else if (entry->kind != ENTRY_KEY && check_block(solver, entry, entry->first) &&
                 entry->kind == ENTRY_RANGE && check_block(solver, entry, entry->last) &&
                 config_block(solver->domain->config, entry->first) >
                     config_block(solver->domain->config, entry->last))
            diag_error(solver->diags, entry->span, "'%.*s' comes before '%.*s'",
                       TEXT_ARG(entry->last), TEXT_ARG(entry->first));
    }
}

/* Every one of KEYS that is THERE needs an entry of the map; false, after an error at SPAN, where
 * one has none. */
static bool check_covered(KeySolver *solver, const int32_t *entries, KeySet keys, KeySet there,
                          Span span) {
    uint32_t n = 0;
    Text first = TEXT("");
    for (KeyId key = 0; key < solver->domain->n_keys; key++)
        if (keys_have(keys, key) && keys_have(there, key) && entries[key] < 0 && n++ == 0)
            first = solver->domain->keys[key];
    if (n == 0)
        return true;
    diag_error(solver->diags, span,
               "this map has nothing for %u of the keys that it meets, such as '%.*s'", n,
               TEXT_ARG(text_printable(solver->arena, first)));
    diag_hint(solver->diags, "an entry for the rest: \"*\": …");
    return false;
}

void keys_check_dtypes(KeySolver *solver, uint32_t output) {
    const RecipeOutput *saved = &solver->solved->recipe->outputs[output];
    KeySet keys = solver->solved->output_keys[output];
    check_patterns(solver, saved->dtypes.keys, saved->dtypes.count, keys);
    check_covered(solver, solver->solved->dtypes[output], keys, keys, saved->dtype_span);
}

static bool fills_gaps(const Node *node) {
    return node->kind == NODE_OPERATOR && node->op == AST_FALLBACK;
}

void keys_check_maps(KeySolver *solvers, Solved *solved, const SetId *sets) {
    const Graph *graph = solved->recipe->graph;
    bool *covered = arena_array(solvers->arena, bool, graph_count(graph) + 1);
    for (NodeId id = 0; id < graph_count(graph); id++) {
        const Node *node = graph_node(graph, id);
        if (!solved->reached[id])
            continue;
        if (has_patterns(node)) {
            KeySolver *solver = &solvers[solved->domain_of[id]];
            check_patterns(solver, node->entries, node->n_operands,
                           keys_set(solver, solver->there));
        }
        for (uint32_t i = 0; i < node->n_operands && !fills_gaps(node); i++) {
            NodeId map = graph_operands(graph, id)[i];
            KeySolver *solver = &solvers[solved->domain_of[id]];
            if (!has_patterns(graph_node(graph, map)) || covered[map] ||
                solved->domain_of[map] != solved->domain_of[id])
                continue;
            covered[map] = true;
            if (!check_covered(solver, solved->entries[map], keys_set(solver, sets[id]),
                               keys_set(solver, solver->there), graph_node(graph, map)->span))
                diag_note(solver->diags, node->span, "it meets them here");
        }
    }
}
