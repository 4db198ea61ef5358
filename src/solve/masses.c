/* Masses that depend on maps of numbers, checked key by key now that the keys are known. */
#include "solve/solve.h"

#include <math.h>

typedef struct KeyValues {
    const Solved *solved;
    Key key;
    bool missing; /* a map has nothing for the key */
} KeyValues;

static double value_at(void *context, NodeId map) {
    KeyValues *values = context;
    const Graph *graph = values->solved->recipe->graph;
    int entry = solved_entry(values->solved, map, values->key);
    if (entry >= 0)
        return graph_node(graph, graph_operands(graph, map)[entry])->number;
    values->missing = true;
    return NAN;
}

static void check_node(Arena *arena, Diags *diags, const Solved *solved, const MassCheck *check) {
    const Recipe *recipe = solved->recipe;
    uint32_t number = solved->domain_of[check->node];
    const Domain *domain = &solved->domains[number];
    for (KeyId key = 0; key < domain->n_keys; key++) {
        KeyValues values = {.solved = solved, .key = {domain->keys[key], number, key}};
        double mass = build_mass_at(recipe->build, check->node, value_at, &values);
        if (values.missing || fabs(mass - check->mass) <= 1e-6)
            continue;
        Builder sum = {0};
        builder_number(&sum, mass);
        diag_error(diags, graph_node(recipe->graph, check->node)->span,
                   "for the key '%.*s' the coefficients of the models add up to %s",
                   TEXT_ARG(text_printable(arena, domain->keys[key])), sum.data);
        diag_hint(diags,
                  "to 1 for a model, to 0 for a difference of models, and the same for every key");
        builder_free(&sum);
        return;
    }
}

bool solve_masses(Arena *arena, Diags *diags, Solved *solved) {
    size_t errors = diag_errors(diags), count;
    const MassCheck *checks = build_mass_checks(solved->recipe->build, &count);
    for (size_t i = 0; i < count; i++)
        if (solved->reached[checks[i].node])
            check_node(arena, diags, solved, &checks[i]);
    return diag_errors(diags) == errors;
}
