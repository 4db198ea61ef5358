/* Where an expression stands: the names it sees, and how much it may still expand to. */
#include "recipe/elaborate.h"

enum {
    ITEMS_LIMIT = 1000000, /* of one list */
    STEPS_LIMIT = 5000000, /* expressions evaluated and items listed: bounds time and memory */
};

/* Counts STEPS. False when the recipe asks for too much, and a message the first time. */
bool frame_spend(const Frame *frame, Span span, uint64_t steps) {
    Elaborator *elaborator = frame->elaborator;
    bool before = elaborator->steps <= STEPS_LIMIT;
    elaborator->steps += steps;
    bool enough = elaborator->steps <= STEPS_LIMIT;
    if (before && !enough)
        diag_error(elaborator->diags, span, "the recipe expands to more than %d expressions",
                   STEPS_LIMIT);
    return enough;
}

/* Whether a list may have COUNT items. */
bool frame_may_list(const Frame *frame, Span span, double count) {
    if (count <= ITEMS_LIMIT)
        return count <= 0 || frame_spend(frame, span, (uint64_t)count);
    diag_error(frame->elaborator->diags, span, "a list has %d items at most", ITEMS_LIMIT);
    return false;
}

/* ---- names ---- */

static bool same_binding(const void *context, const void *wanted, uint32_t item) {
    const Environment *environment = context;
    return text_equal(environment->bindings.items[item].name, *(const Text *)wanted);
}

const Binding *environment_find(const Environment *environment, Text name) {
    uint32_t at =
        index_find(&environment->index, text_hash(name), same_binding, environment, &name);
    return at == INDEX_NONE ? NULL : &environment->bindings.items[at];
}

const Binding *frame_find(const Environment *environment, Text name) {
    for (; environment != NULL; environment = environment->outer) {
        const Binding *found = environment_find(environment, name);
        if (found != NULL)
            return found;
    }
    return NULL;
}

void frame_bind(const Frame *frame, Text name, Span span, Item item) {
    const Binding *before = environment_find(frame->environment, name);
    if (before != NULL) {
        Diags *diags = frame->elaborator->diags;
        diag_error(diags, span, "'%.*s' is bound already", TEXT_ARG(name));
        diag_hint(diags, "a name is bound once; choose another");
        diag_note(diags, before->span, "first bound here");
        return;
    }
    if (frame->environment == &frame->file->environment && !frame->file->imported &&
        item.kind == ITEM_NODE)
        vector_push(&frame->elaborator->names, (NodeName){item.node, name});
    index_add(&frame->environment->index, text_hash(name),
              (uint32_t)frame->environment->bindings.count);
    vector_push(&frame->environment->bindings, (Binding){name, span, item});
}

Environment *environment_new(Elaborator *elaborator, const Environment *outer) {
    Environment *environment = arena_new(elaborator->arena, Environment);
    environment->outer = outer;
    vector_push(&elaborator->environments, environment);
    return environment;
}

/* Whether a function is being expanded already, here or in a caller. */
static bool is_active(const Frame *frame, const Definition *definition) {
    for (; frame != NULL; frame = frame->caller)
        if (frame->definition == definition)
            return true;
    return false;
}

/* A file's own method comes before a function of the library. */
static bool hides_function(const Scope *scope, const Definition *method,
                           const Definition *function) {
    return method != NULL && method->scope == scope && function->scope != scope;
}

/* What a called name stands for. Inside its own body a function's name means what it hides. */
const Definition *frame_callee(const Frame *frame, const Scope *scope, Text name, bool *recursive) {
    *recursive = false;
    const Definition *found = scope_find(scope, DEFINITION_FUNCTION, name);
    const Definition *method = scope_find(scope, DEFINITION_METHOD, name);
    if (found != NULL && hides_function(scope, method, found))
        return method;
    if (found != NULL && is_active(frame, found)) {
        *recursive = true;
        const Definition *hidden = library_find(scope->library, DEFINITION_FUNCTION, name);
        found = hidden != found && hidden != NULL && !is_active(frame, hidden) ? hidden : NULL;
    }
    return found != NULL ? found : method;
}

/* Every name that could have been meant, for suggestions. */
static Text nearest_visible(const Frame *frame, Text name) {
    VECTOR(Text) names = {0};
    for (const Environment *at = frame->environment; at != NULL; at = at->outer)
        for (size_t i = 0; i < at->bindings.count; i++)
            vector_push(&names, at->bindings.items[i].name);
    vector_push(&names, TEXT("model"));
    Text method = scope_nearest(frame->file->scope, DEFINITION_METHOD, name);
    Text function = scope_nearest(frame->file->scope, DEFINITION_FUNCTION, name);
    vector_push(&names, method);
    vector_push(&names, function);
    Text nearest = nearest_name(name, names.items, names.count);
    vector_free(&names);
    return nearest;
}

Item frame_unknown(const Frame *frame, const Ast *ast, const char *what) {
    Diags *diags = frame->elaborator->diags;
    diag_error(diags, ast->span, "unknown %s '%.*s'", what, TEXT_ARG(ast->text));
    Text nearest = nearest_visible(frame, ast->text);
    if (nearest.size > 0)
        diag_hint(diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
    return poison;
}

Item elaborate_name(const Frame *frame, const Ast *ast) {
    const Binding *binding = frame_find(frame->environment, ast->text);
    if (binding != NULL)
        return binding->item;
    bool recursive;
    const Definition *callee = frame_callee(frame, frame->file->scope, ast->text, &recursive);
    if (callee == NULL)
        return frame_unknown(frame, ast, "name");
    Diags *diags = frame->elaborator->diags;
    diag_error(diags, ast->span, "'%.*s' is a %s, not a value", TEXT_ARG(ast->text),
               callee->kind == DEFINITION_METHOD ? "merge method" : "function");
    diag_hint(diags, "call it: %.*s(…)", TEXT_ARG(ast->text));
    return poison;
}
