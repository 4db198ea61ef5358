#include "solve/instructions.h"

#include <stdlib.h>
#include <string.h>

typedef struct ListWriter {
    const Solved *solved;
    const Graph *graph;
    Builder *out;
    uint32_t *lines; /* by node: the number of its instruction */
    uint32_t n_lines;
} ListWriter;

static void write_string(Builder *out, Text text) {
    builder_char(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            builder_char(out, '\\');
        builder_char(out, text.data[i]);
    }
    builder_char(out, '"');
}

static void write_number(Builder *out, const Node *node) {
    if (node->number_kind == NUMBER_BOOL)
        builder_add(out, node->number != 0 ? TEXT("true") : TEXT("false"));
    else if (node->number_kind == NUMBER_INT)
        builder_format(out, "%.0f", node->number);
    else if (node->number == node->number && node->number - node->number != 0)
        builder_add(out, node->number > 0 ? TEXT("1e999") : TEXT("-1e999"));
    else
        builder_number(out, node->number);
}

static void write_value(ListWriter *writer, NodeId id) {
    const Node *node = graph_node(writer->graph, id);
    switch (node->kind) {
    case NODE_NULL:
        builder_add(writer->out, TEXT("null"));
        break;
    case NODE_NUMBER:
        write_number(writer->out, node);
        break;
    case NODE_STRING:
        write_string(writer->out, node->text);
        break;
    default:
        builder_format(writer->out, "&%u", writer->lines[id]);
    }
}

/* Whether everyone who reads the list has a definition: it holds none. */
static const Definition *find_known(const ListWriter *writer, DefinitionKind kind, Text name) {
    return library_find(writer->solved->recipe->library, kind, name);
}

/* False where the config is the recipe's own. */
static bool write_hints(ListWriter *writer, NodeId id) {
    const Node *node = graph_node(writer->graph, id);
    const Domain *domain = &writer->solved->domains[writer->solved->domain_of[id]];
    Text config = node->config.size > 0    ? node->config
                  : domain->config != NULL ? domain->config->name
                                           : TEXT("");
    builder_add(writer->out, TEXT(" model_config="));
    if (config.size > 0)
        write_string(writer->out, config);
    else
        builder_add(writer->out, TEXT("null"));
    builder_add(writer->out, TEXT(" merge_space=\""));
    library_spaces_print(writer->solved->recipe->library, writer->solved->spaces[id], writer->out);
    builder_char(writer->out, '"');
    return config.size == 0 || find_known(writer, DEFINITION_CONFIG, config) != NULL;
}

static bool write_model(ListWriter *writer, NodeId id) {
    builder_add(writer->out, TEXT("\nmodel "));
    write_string(writer->out, graph_node(writer->graph, id)->text);
    return write_hints(writer, id);
}

/* Names of keys that the list can hold: it splits words at spaces, `=` and quotes. */
static bool is_plain_key(Text key) {
    for (size_t i = 0; i < key.size; i++)
        if (strchr(" =\"\\\t\n\r", key.data[i]) != NULL)
            return false;
    return key.size > 0;
}

static bool write_map(ListWriter *writer, NodeId id) {
    const Node *node = graph_node(writer->graph, id);
    builder_add(writer->out, TEXT("\ndict"));
    for (uint32_t i = 0; i < node->n_operands; i++) {
        if (node->entries[i].kind != ENTRY_KEY || !is_plain_key(node->entries[i].first))
            return false;
        builder_format(writer->out, " %.*s=", TEXT_ARG(node->entries[i].first));
        write_value(writer, graph_operands(writer->graph, id)[i]);
    }
    if (node->config.size > 0 || node->spaces != 0) {
        builder_format(writer->out, "\nliteral &%u", writer->n_lines++);
        return write_hints(writer, id);
    }
    return true;
}

/* A parameter after the variadic one is given by name; so are those after one that is left at its
 * default. */
static bool write_call(ListWriter *writer, NodeId id) {
    const Node *node = graph_node(writer->graph, id);
    const Definition *known = find_known(writer, DEFINITION_METHOD, node->method->name);
    if (known == NULL || known->method != node->method)
        return false;
    const NodeId *operands = graph_operands(writer->graph, id);
    builder_add(writer->out, TEXT("\nmerge "));
    write_string(writer->out, node->method->name);
    bool named = false;
    for (uint32_t i = 0; i < node->n_operands; i++) {
        uint32_t p = method_operand(node->method, node->n_operands, i);
        const Parameter *parameter = &node->method->parameters[p];
        const Node *operand = graph_node(writer->graph, operands[i]);
        if (parameter->fallback != NULL && build_is_literal(operand, parameter->fallback)) {
            named = true;
            continue;
        }
        builder_char(writer->out, ' ');
        if (named)
            builder_format(writer->out, "%.*s=", TEXT_ARG(parameter->name));
        write_value(writer, operands[i]);
        named |=
            parameter->variadic && (i + 1 == node->n_operands ||
                                    method_operand(node->method, node->n_operands, i + 1) != p);
    }
    return true;
}

static bool write_node(ListWriter *writer, NodeId id) {
    switch (graph_node(writer->graph, id)->kind) {
    case NODE_NULL:
    case NODE_NUMBER:
    case NODE_STRING:
        return true;
    case NODE_MODEL:
        if (!write_model(writer, id))
            return false;
        break;
    case NODE_MAP:
        if (!write_map(writer, id))
            return false;
        break;
    case NODE_CALL:
        if (!write_call(writer, id))
            return false;
        break;
    default:
        return false;
    }
    writer->lines[id] = writer->n_lines++;
    return true;
}

bool instructions_write(const Solved *solved, NodeId node, Builder *out, NodeId *culprit) {
    const Graph *graph = solved->recipe->graph;
    uint32_t n = graph_count(graph);
    unsigned char *reached = memory_grow(NULL, n + 1);
    memset(reached, 0, n + 1);
    graph_reach(graph, &node, 1, reached);
    ListWriter writer = {.solved = solved, .graph = graph, .out = out};
    writer.lines = memory_grow(NULL, memory_size(n + 1, sizeof *writer.lines));
    builder_add(out, TEXT("version 0.1.0"));
    bool ok = true;
    for (NodeId id = 0; id < n && ok; id++)
        if (reached[id] && !write_node(&writer, id)) {
            *culprit = id;
            ok = false;
        }
    free(reached);
    free(writer.lines);
    return ok;
}
