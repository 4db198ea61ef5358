#include "solve/solve.h"

Solved *solve(Arena *arena, Diags *diags, const Recipe *recipe, const SolveOptions *options) {
    Solved *solved = arena_new(arena, Solved);
    solved->recipe = recipe;
    solved->configs = sources_configs(options->sources);
    solved->reached = arena_array(arena, unsigned char, graph_count(recipe->graph) + 1);
    NodeId *roots = arena_array(arena, NodeId, recipe->n_outputs + 1);
    for (uint32_t i = 0; i < recipe->n_outputs; i++)
        roots[i] = recipe->outputs[i].node;
    graph_reach(recipe->graph, roots, recipe->n_outputs, solved->reached);
    bool ok = solve_spaces(arena, diags, solved, options);
    ok = solve_inputs(arena, solved, options) && ok;
    if (ok && solve_configs(arena, diags, solved, options) &&
        solve_keys(arena, diags, solved, options) && solve_masses(arena, diags, solved))
        return solved;
    solve_close(solved);
    return NULL;
}
