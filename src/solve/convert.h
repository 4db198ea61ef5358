/* Choosing conversions while a recipe is elaborated: that a LoRA becomes a difference of models
 * matters to the operators around it. */
#ifndef SOLVE_CONVERT_H
#define SOLVE_CONVERT_H

#include "solve/solve.h"

/* What convert_node needs besides its arguments. */
typedef struct Converter {
    Arena *arena;
    Diags *diags;
    Sources *sources;
} Converter;

/* OPERAND by the shortest path of conversions to a config: the one of that name, or where that is
 * empty the one of LIKE. NODE_NONE after an error. CONTEXT is a Converter. */
NodeId convert_node(void *context, const Recipe *recipe, NodeId operand, Text config, NodeId like,
                    Span span);

/* Whether some path of conversions leads from one config to another. */
bool convert_leads(const Recipe *recipe, Text from, Text to);

/* Whether there is a config of that name; false after an error at SPAN. */
bool convert_is_known(void *context, Text config, Span span);

/* The name of a node's config; empty where it has none that is known, or after an error. The second
 * one tells those of networks alone. */
Text convert_config(void *context, const Recipe *recipe, NodeId node);
Text convert_network(void *context, const Recipe *recipe, NodeId node);

#endif
