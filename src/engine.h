/* Inside the library's face: what mecha.c keeps for the files beside it. */
#ifndef ENGINE_H
#define ENGINE_H

#include "exec/input_content.h"
#include "exec/schedule.h"
#include "mecha.h"
#include "solve/sources.h"

#include <time.h>

struct Engine {
    const MechaOptions *options;
    Arena arena;
    Diags *diags;
    Library *library;
    uint32_t source; /* the recipe */
    struct Diff *diff;
    bool looks; /* what it makes is looked at, and may be nothing */
    bool misused;
    Text folder;
    Sources *sources;
    Recipe *recipe;
    Solved *solved;
    Schedule *schedule;
    Plan *plan;
    MechaSummary summary;
    /* of the run */
    struct timespec start;
    uint64_t bytes;        /* to write */
    InputContent *content; /* of its inputs, where that is recorded */
    Text recorded;
    bool once; /* everything has been evaluated, before what is again */
};

Configs *engine_configs(Engine *engine);

/* How many threads work. */
unsigned engine_threads(const Engine *engine);

/* The stages; each is NULL after errors. */
Recipe *engine_elaborate(Engine *engine);
Solved *engine_solve(Engine *engine);
Schedule *engine_schedule(Engine *engine);

/* Evaluates the plan, and again what met NaN or infinities, until no input does. The outputs have
 * their writers. */
bool engine_evaluate(Engine *engine);

/* The instruction list of an output. False where it cannot be said in one, because of *CULPRIT. */
bool engine_write_list(Engine *engine, uint32_t output, Builder *out, NodeId *culprit);

/* A number, word or truth value as a recipe has it; of a map how large it is. */
void engine_add_constant(const Node *node, Builder *out);

#endif
