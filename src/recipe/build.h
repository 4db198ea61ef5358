/* The only way to make a node of the recipe graph: constructors that check, fold and find equal
 * nodes.
 *
 * NODE_NONE as an operand stands for a mistake that was reported already, and gives NODE_NONE
 * without another word.
 *
 * Operators on models are checked by mass, as in barycentric coordinates: a weight has mass 1, a
 * delta 0; sums add masses, a coefficient multiplies them, and what is used as a model must have
 * mass 1 or 0. The mass is a polynomial over the parameter nodes, so (1 - m) * a + m * b is a
 * weight whatever m holds. */
#ifndef RECIPE_BUILD_H
#define RECIPE_BUILD_H

#include "recipe/graph.h"
#include "recipe/library.h"
#include "recipe/mass.h"

typedef struct Build Build;

Build *build_new(Arena *arena, Graph *graph, Library *library, Diags *diags);
void build_free(Build *build); /* what is not in the arena */
/* Room for that many more nodes, so that a large graph is not moved while it grows. */
void build_reserve(Build *build, size_t nodes);

/* SAY is called behind an error about the mass of a node. */
void build_on_mass(Build *build, void (*say)(void *context, NodeId node), void *context);

/* From now on nodes point at SITE (SPAN_NONE: at their own place), which is where a function of the
 * library was called. Returns what was set before. */
Span build_from(Build *build, Span site);

NodeId build_null(Build *build, Span span);
NodeId build_number(Build *build, double number, NumberKind kind, Span span);
NodeId build_string(Build *build, Text text, Span span);
NodeId build_model(Build *build, Text path, Text config, SpaceSet spaces, Span span);
NodeId build_map(Build *build, const MapEntry *entries, const NodeId *values, uint32_t n,
                 Text config, SpaceSet spaces, Span span);
NodeId build_operator(Build *build, AstOp op, NodeId a, NodeId b, Span span);
NodeId build_keep(Build *build, NodeId operand, Text glob, Span span);
NodeId build_component(Build *build, NodeId operand, Text component, Span span);
NodeId build_convert(Build *build, NodeId operand, Text config, Span span);

typedef struct Argument {
    Text name; /* empty: positional */
    Span name_span, span;
    NodeId node;
} Argument;

/* Binds the arguments to the parameters of METHOD, fills in defaults, and calls it. */
NodeId build_call(Build *build, const Method *method, const Argument *arguments,
                  uint32_t n_arguments, Span span);

/* Demands that a node be usable as a model, and tells its space as far as it is known without the
 * solver (0: not). False after an error about its mass. */
bool build_settle(Build *build, NodeId node, SpaceSet *spaces);

/* Demands a model or a coefficient that is none of numbers, strings and null. False after an error
 * at SPAN that begins with WHY and ends in what it is. */
bool build_demand_model(Build *build, NodeId node, const char *why, Span span);

/* Whether build_settle would not refuse, as far as that is known without the keys. */
bool build_is_settled(Build *build, NodeId node);

/* The space in which an operator node is (weight, delta or param); 0 for other nodes or before
 * build_settle. */
SpaceSet build_space(const Build *build, NodeId node);

/* A literal of a signature or default: number, string, truth value, null, negated number. NODE_NONE
 * where it is none. */
NodeId build_literal(Build *build, const Ast *value);

/* Whether a node is a model (with a mass) for the operators, not a coefficient; the polynomial that
 * a coefficient is. */
bool build_is_model(Build *build, NodeId node);
Mass build_coefficient(Build *build, NodeId node);

/* Whether a node is what build_literal makes of VALUE. */
bool build_is_literal(const Node *node, const Ast *value);

/* A mass that depends on maps of constants, to be checked key by key once the keys are known. */
typedef struct MassCheck {
    NodeId node;
    double mass; /* expected */
} MassCheck;
const MassCheck *build_mass_checks(const Build *build, size_t *count);
/* The mass of NODE with every map replaced by VALUE_OF(context, map). */
double build_mass_at(const Build *build, NodeId node, double (*value_of)(void *context, NodeId map),
                     void *context);

#endif
