/* mecha_compile: recipes as instruction lists. */
#include "engine.h"
#include "solve/affine.h"
#include "solve/instructions.h"

bool engine_write_list(Engine *engine, uint32_t output, Builder *out, NodeId *culprit) {
    NodeId node = engine->recipe->outputs[output].node;
    NodeId rewritten = affine_rewrite(&engine->arena, engine->solved, node, culprit);
    return rewritten != NODE_NONE && instructions_write(engine->solved, rewritten, out, culprit);
}

/* Why an instruction list cannot hold a node. */
static void hint_culprit(Engine *engine, const Node *node) {
    switch (node->kind) {
    case NODE_CALL:
        diag_hint(engine->diags, "'%.*s' is a method of your own, and a list holds no definitions",
                  TEXT_ARG(node->method->name));
        break;
    case NODE_OPERATOR:
        diag_hint(engine->diags, node->op == AST_FALLBACK
                                     ? "there, keys are filled for models of a known config only"
                                     : "there are no operators, and no method stands for this one");
        break;
    case NODE_KEEP:
        diag_hint(engine->diags, "there is no way to keep the keys that a pattern matches");
        break;
    case NODE_MAP:
        diag_hint(engine->diags, "a key with blanks, quotes, '=' or '\\' cannot be written there");
        break;
    default:
        break;
    }
}

/* Of a save, a list has the result alone. */
static void warn_of_options(Engine *engine, const RecipeOutput *output) {
    const struct {
        const char *name;
        bool given;
    } options[] = {
        {"dtype", output->dtype.size > 0},
        {"space", output->space.size > 0},
        {"shard_size", output->shard_size > 0},
        {"compute", output->compute.size > 0},
        {"keep_non_finite", output->keep_non_finite},
        {"allow_unused", output->allow_unused},
        {"metadata", output->n_metadata > 0},
    };
    Builder names = {0};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (options[i].given)
            builder_format(&names, "%s%s", names.size > 0 ? ", " : "", options[i].name);
    if (names.size > 0) {
        diag_warning(engine->diags, output->span,
                     "an instruction list does not say how its result is saved: %s", names.data);
        diag_hint(engine->diags, "say it again where the list runs");
    }
    builder_free(&names);
}

bool mecha_compile(Engine *engine, Builder *out) {
    NodeId culprit;
    if (engine->recipe->n_outputs != 1) {
        diag_error(engine->diags, SPAN_NONE,
                   "an instruction list has one result, but the recipe saves %u",
                   engine->recipe->n_outputs);
        return false;
    }
    const RecipeOutput *output = &engine->recipe->outputs[0];
    if (output->dtypes.count > 0) {
        diag_error(engine->diags, output->dtype_span,
                   "dtypes by key cannot be said in an instruction list");
        diag_hint(engine->diags, "leave them out, and give one for all when it runs: --dtype NAME");
        return false;
    }
    if (engine_write_list(engine, 0, out, &culprit)) {
        warn_of_options(engine, output);
        return true;
    }
    const Node *node = graph_node(engine->recipe->graph, culprit);
    diag_error(engine->diags, node->span, "this cannot be said in an instruction list");
    hint_culprit(engine, node);
    return false;
}
