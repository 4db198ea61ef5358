/* mecha_graph: a recipe's graph in the DOT language, for Graphviz to draw.
 *
 * Models, methods, operators, maps and saves have a shape and a colour each; what is used more than
 * once has a thick border, since it is computed once; the nodes that a call of a function of the
 * recipe made stand in a box. Numbers and words are told where they are used. */
#include "engine.h"

#include "base/file.h"
#include "base/vector.h"

enum {
    LABEL_LIMIT = 44, /* characters of a line of a label */
    ENTRIES_SHOWN = 5 /* of a map */
};

typedef struct Drawing {
    Engine *engine;
    const Graph *graph;
    Builder *out;
    unsigned char *drawn; /* by node */
    uint32_t *uses;       /* by node: of how many drawn nodes and saves it is an operand */
    Text *names;          /* by node; empty: not bound to a name */
    bool has_shared, has_delta;
} Drawing;

static const Node *node_at(const Drawing *drawing, NodeId id) {
    return graph_node(drawing->graph, id);
}

static NodeId operand(const Drawing *drawing, NodeId id, uint32_t i) {
    return graph_operands(drawing->graph, id)[i];
}

static bool is_constant(const Node *node) {
    return node->kind == NODE_NULL || node->kind == NODE_NUMBER || node->kind == NODE_STRING;
}

/* ---- words ---- */

/* TEXT within a label of the HTML-like kind, cut where it is long. */
static void add_escaped(Builder *out, Text text) {
    Builder plain = {0};
    builder_printable(&plain, text);
    size_t shown = 0;
    for (size_t i = 0; i < plain.size; i++) {
        unsigned char c = (unsigned char)plain.data[i];
        if ((c & 0xC0) != 0x80 && ++shown > LABEL_LIMIT) {
            builder_add(out, TEXT("…"));
            break;
        }
        if (c == '&' || c == '<' || c == '>' || c == '"')
            builder_format(out, "&#%u;", c);
        else
            builder_char(out, (char)c);
    }
    builder_free(&plain);
}

static void add_constant(const Drawing *drawing, NodeId id, Builder *out) {
    Builder words = {0};
    engine_add_constant(node_at(drawing, id), &words);
    add_escaped(out, builder_view(&words));
    builder_free(&words);
}

static void begin_small(Builder *out) {
    builder_add(out, TEXT("<BR/><FONT POINT-SIZE=\"10\" COLOR=\"#555555\">"));
}

static void end_small(Builder *out) {
    builder_add(out, TEXT("</FONT>"));
}

static const char *operator_sign(AstOp op) {
    static const char *const signs[] = {
        [AST_ADD] = "+",    [AST_SUB] = "−", [AST_MUL] = "×",    [AST_DIV] = "÷",
        [AST_POW] = "^",    [AST_NEG] = "−", [AST_EQ] = "=",     [AST_NE] = "≠",
        [AST_LT] = "&#60;", [AST_LE] = "≤",  [AST_GT] = "&#62;", [AST_GE] = "≥",
        [AST_AND] = "and",  [AST_OR] = "or", [AST_NOT] = "not",  [AST_FALLBACK] = "|"};
    return signs[op];
}

/* `× 0.5` with a number for an operand, or the sign alone. */
static void add_operator(const Drawing *drawing, NodeId id, Builder *out) {
    const Node *node = node_at(drawing, id);
    bool left = is_constant(node_at(drawing, operand(drawing, id, 0)));
    bool right = node->n_operands > 1 && is_constant(node_at(drawing, operand(drawing, id, 1)));
    bool commutes = node->op == AST_ADD || node->op == AST_MUL;
    if (left && !commutes)
        add_constant(drawing, operand(drawing, id, 0), out);
    builder_format(out, "%s%s%s", left && !commutes ? " " : "", operator_sign(node->op),
                   right || (left && commutes) ? " " : "");
    if (right || (left && commutes))
        add_constant(drawing, operand(drawing, id, right ? 1 : 0), out);
}

/* The arguments that are numbers or words, where they are not what is meant without them. */
static void add_arguments(const Drawing *drawing, NodeId id, Builder *out) {
    const Node *node = node_at(drawing, id);
    for (uint32_t i = 0; i < node->n_operands; i++) {
        const Node *argument = node_at(drawing, operand(drawing, id, i));
        const Parameter *parameter =
            &node->method->parameters[method_operand(node->method, node->n_operands, i)];
        if (!is_constant(argument) || (argument->kind == NODE_NULL && parameter->optional) ||
            (parameter->fallback != NULL && build_is_literal(argument, parameter->fallback)))
            continue;
        begin_small(out);
        add_escaped(out, parameter->name);
        builder_add(out, TEXT(" = "));
        add_constant(drawing, operand(drawing, id, i), out);
        end_small(out);
    }
}

static void add_entry(const Drawing *drawing, NodeId id, uint32_t i, Builder *out) {
    const MapEntry *entry = &node_at(drawing, id)->entries[i];
    bool quoted = entry->kind == ENTRY_KEY || entry->kind == ENTRY_GLOB;
    builder_add(out, quoted ? TEXT("&#34;") : TEXT(""));
    add_escaped(out, entry->first);
    builder_add(out, quoted ? TEXT("&#34;") : TEXT(""));
    if (entry->kind == ENTRY_RANGE) {
        builder_add(out, TEXT(".."));
        add_escaped(out, entry->last);
    }
    builder_add(out, TEXT(": "));
    if (is_constant(node_at(drawing, operand(drawing, id, i))))
        add_constant(drawing, operand(drawing, id, i), out);
    else
        builder_add(out, TEXT("…"));
    builder_add(out, TEXT("<BR ALIGN=\"LEFT\"/>"));
}

static void add_map(const Drawing *drawing, NodeId id, Builder *out) {
    uint32_t n = node_at(drawing, id)->n_operands;
    uint32_t shown = n > ENTRIES_SHOWN + 1 ? ENTRIES_SHOWN : n;
    for (uint32_t i = 0; i < shown; i++)
        add_entry(drawing, id, i, out);
    if (shown < n)
        builder_format(out, "… %u more<BR ALIGN=\"LEFT\"/>", n - shown);
}

static void add_model(const Node *node, Builder *out) {
    Text file = path_name(node->text);
    Text end = TEXT(".safetensors");
    add_escaped(out, text_ends(file, end) ? (Text){file.data, file.size - end.size} : file);
    if (node->config.size > 0) {
        begin_small(out);
        add_escaped(out, node->config);
        end_small(out);
    }
}

/* What a node does, without its name. */
static void add_words(const Drawing *drawing, NodeId id, Builder *out) {
    const Node *node = node_at(drawing, id);
    switch (node->kind) {
    case NODE_MODEL:
        add_model(node, out);
        break;
    case NODE_CALL:
        add_escaped(out, node->method->name);
        add_arguments(drawing, id, out);
        break;
    case NODE_OPERATOR:
        add_operator(drawing, id, out);
        break;
    case NODE_MAP:
        add_map(drawing, id, out);
        break;
    case NODE_KEEP:
        builder_add(out, TEXT("keys "));
        add_escaped(out, node->text);
        break;
    case NODE_COMPONENT:
        builder_char(out, '.');
        add_escaped(out, node->text);
        break;
    case NODE_CONVERT:
        builder_add(out, TEXT("as "));
        add_escaped(out, node->text);
        break;
    default:
        add_constant(drawing, id, out);
    }
}

/* ---- nodes ---- */

static bool is_conversion(const Node *node) {
    return node->kind == NODE_CONVERT || (node->kind == NODE_CALL && node->method->rules != NULL);
}

static const char *look_of(const Node *node) {
    if (is_conversion(node))
        return "shape=cds, fillcolor=\"#e8e0f5\"";
    switch (node->kind) {
    case NODE_MODEL:
        return "shape=cylinder, fillcolor=\"#cfe3f7\"";
    case NODE_CALL:
        return "shape=box, style=\"filled,rounded\", fillcolor=\"#fdebc8\"";
    case NODE_MAP:
        return "shape=note, fillcolor=\"#e9f3e2\", fontsize=10";
    case NODE_KEEP:
    case NODE_COMPONENT:
        return "shape=invhouse, fillcolor=\"#eeeeee\"";
    default:
        return "shape=ellipse, fillcolor=\"#ffffff\"";
    }
}

static void add_place(const Drawing *drawing, Span span, Builder *out) {
    uint32_t line, column;
    const Source *source = span.source > 0 ? diags_find(drawing->engine->diags, span.source) : NULL;
    if (source == NULL)
        return;
    source_position(source, span.begin, &line, &column);
    Builder place = {0};
    builder_format(&place, "line %u", line);
    builder_add(out, TEXT(", tooltip="));
    builder_json(out, builder_view(&place));
    builder_free(&place);
}

static bool is_shared(const Drawing *drawing, NodeId id) {
    NodeKind kind = node_at(drawing, id)->kind;
    return drawing->uses[id] > 1 && kind != NODE_MODEL && kind != NODE_MAP;
}

static void draw_node(Drawing *drawing, NodeId id) {
    const Node *node = node_at(drawing, id);
    Builder *out = drawing->out;
    builder_format(out, "n%u [%s, label=<", id, look_of(node));
    if (drawing->names[id].size > 0 && node->kind != NODE_MODEL) {
        builder_add(out, TEXT("<B>"));
        add_escaped(out, drawing->names[id]);
        builder_add(out, TEXT("</B><BR/>"));
    }
    add_words(drawing, id, out);
    builder_char(out, '>');
    if (is_shared(drawing, id))
        builder_add(out, TEXT(", penwidth=3, color=\"#a03070\""));
    add_place(drawing, node->span, out);
    builder_add(out, TEXT("];\n"));
    drawing->has_shared |= is_shared(drawing, id);
}

/* Boxes nest as calls do: each holds the nodes of a range of numbers, and comes before those within
 * it. Nothing is drawn around one node alone, and models stand outside. */
typedef struct Boxes {
    const RecipeExpansion *items;
    uint32_t count, next;
    uint32_t *before;    /* by node: how many nodes with a smaller number could stand in a box */
    VECTOR(NodeId) open; /* where they end */
} Boxes;

static void open_boxes(Drawing *drawing, Boxes *boxes, NodeId id) {
    while (boxes->open.count > 0 && boxes->open.items[boxes->open.count - 1] <= id) {
        builder_add(drawing->out, TEXT("}\n"));
        boxes->open.count--;
    }
    for (; boxes->next < boxes->count && boxes->items[boxes->next].first <= id; boxes->next++) {
        const RecipeExpansion *box = &boxes->items[boxes->next];
        if (box->end <= id || boxes->before[box->end] - boxes->before[box->first] < 2)
            continue;
        builder_format(drawing->out, "subgraph cluster_%u {\nlabel=<", boxes->next);
        add_escaped(drawing->out, box->name);
        builder_add(drawing->out, TEXT(">;\nlabeljust=l;\nstyle=\"filled,rounded\";\n"
                                       "fillcolor=\"#f7f7f7\";\ncolor=\"#aaaaaa\";\n"));
        vector_push(&boxes->open, box->end);
    }
}

static bool stands_in_box(const Drawing *drawing, NodeId id) {
    return drawing->drawn[id] && node_at(drawing, id)->kind != NODE_MODEL;
}

static void draw_nodes(Drawing *drawing) {
    const Recipe *recipe = drawing->engine->recipe;
    uint32_t n = graph_count(drawing->graph);
    Boxes boxes = {.items = recipe->expansions, .count = recipe->n_expansions};
    boxes.before = arena_array(&drawing->engine->arena, uint32_t, n + 1);
    for (NodeId id = 0; id < n; id++)
        boxes.before[id + 1] = boxes.before[id] + stands_in_box(drawing, id);
    for (NodeId id = 0; id < n; id++)
        if (drawing->drawn[id] && !stands_in_box(drawing, id))
            draw_node(drawing, id);
    for (NodeId id = 0; id < n; id++) {
        if (!stands_in_box(drawing, id))
            continue;
        open_boxes(drawing, &boxes, id);
        draw_node(drawing, id);
    }
    open_boxes(drawing, &boxes, n);
    vector_free(&boxes.open);
}

/* ---- edges ---- */

/* The parts of a sum of models have no space for the solver, but a mass. */
static bool is_delta(const Drawing *drawing, NodeId id) {
    Build *build = drawing->engine->recipe->build;
    const Solved *solved = drawing->engine->solved;
    SpaceSet spaces = solved != NULL ? solved->spaces[id] : 0;
    if (node_at(drawing, id)->kind != NODE_OPERATOR || !build_is_model(build, id))
        return spaces == SPACE_SET(SPACE_DELTA);
    return build_is_settled(build, id) && build_settle(build, id, &spaces) &&
           spaces == SPACE_SET(SPACE_DELTA);
}

/* Which of several operands one is; empty where that needs no word. */
static Text operand_name(const Drawing *drawing, NodeId user, uint32_t i) {
    const Node *node = node_at(drawing, user);
    if (node->kind == NODE_CALL && node->method->n_parameters > 1) {
        uint32_t at = method_operand(node->method, node->n_operands, i);
        return node->method->parameters[at].variadic ? TEXT("") : node->method->parameters[at].name;
    }
    if (node->kind != NODE_OPERATOR || i == 0)
        return TEXT("");
    return node->op == AST_SUB        ? TEXT("−")
           : node->op == AST_DIV      ? TEXT("÷")
           : node->op == AST_FALLBACK ? TEXT("where missing")
                                      : TEXT("");
}

static void draw_edge(Drawing *drawing, NodeId from, const char *to, Text name) {
    Builder *out = drawing->out;
    NodeKind kind = node_at(drawing, from)->kind;
    builder_format(out, "n%u -> %s [", from, to);
    if (name.size > 0) {
        /* A sign stands at the arrow's head, where it is not lost. */
        builder_add(out, name.size < 4 && name.data[0] < 0 ? TEXT("headlabel=<") : TEXT("label=<"));
        add_escaped(out, name);
        builder_add(out, TEXT(">, "));
    }
    builder_add(out, kind == NODE_MAP          ? TEXT("style=dotted")
                     : is_delta(drawing, from) ? TEXT("color=\"#d9730d\"")
                                               : TEXT("color=\"#333333\""));
    builder_add(out, TEXT("];\n"));
    drawing->has_delta |= kind != NODE_MAP && is_delta(drawing, from);
}

static void draw_edges(Drawing *drawing) {
    for (NodeId id = 0; id < graph_count(drawing->graph); id++) {
        char to[16];
        snprintf(to, sizeof to, "n%u", id);
        for (uint32_t i = 0; drawing->drawn[id] && i < node_at(drawing, id)->n_operands; i++)
            if (drawing->drawn[operand(drawing, id, i)])
                draw_edge(drawing, operand(drawing, id, i), to, operand_name(drawing, id, i));
    }
}

static void draw_saves(Drawing *drawing) {
    const Recipe *recipe = drawing->engine->recipe;
    for (uint32_t i = 0; i < recipe->n_outputs; i++) {
        const RecipeOutput *output = &recipe->outputs[i];
        char to[16];
        snprintf(to, sizeof to, "save%u", i);
        builder_format(drawing->out, "%s [shape=folder, fillcolor=\"#c6e7c8\", label=<", to);
        add_escaped(drawing->out, output->path.size > 0 ? path_name(output->path) : TEXT("result"));
        if (output->dtype.size > 0) {
            begin_small(drawing->out);
            add_escaped(drawing->out, output->dtype);
            end_small(drawing->out);
        }
        builder_char(drawing->out, '>');
        add_place(drawing, output->span, drawing->out);
        builder_add(drawing->out, TEXT("];\n"));
        draw_edge(drawing, output->node, to, TEXT(""));
    }
}

/* ---- the whole ---- */

static void choose_nodes(Drawing *drawing) {
    Engine *engine = drawing->engine;
    const Recipe *recipe = engine->recipe;
    uint32_t n = graph_count(drawing->graph);
    drawing->drawn = arena_array(&engine->arena, unsigned char, n + 1);
    drawing->uses = arena_array(&engine->arena, uint32_t, n + 1);
    drawing->names = arena_array(&engine->arena, Text, n + 1);
    for (uint32_t i = 0; i < recipe->n_outputs; i++)
        graph_reach(drawing->graph, &recipe->outputs[i].node, 1, drawing->drawn);
    for (NodeId id = 0; id < n; id++)
        drawing->drawn[id] &= !is_constant(node_at(drawing, id));
    for (uint32_t i = 0; i < recipe->n_outputs; i++) {
        drawing->drawn[recipe->outputs[i].node] = 1;
        drawing->uses[recipe->outputs[i].node]++;
    }
    for (NodeId id = 0; id < n; id++)
        for (uint32_t i = 0; drawing->drawn[id] && i < node_at(drawing, id)->n_operands; i++)
            drawing->uses[operand(drawing, id, i)]++;
    for (uint32_t i = recipe->n_names; i-- > 0;)
        drawing->names[recipe->names[i].node] = recipe->names[i].name;
}

static void add_legend(const Drawing *drawing) {
    if (!drawing->has_shared && !drawing->has_delta)
        return;
    builder_add(drawing->out, TEXT("label=<"));
    if (drawing->has_shared)
        builder_add(drawing->out,
                    TEXT("<FONT COLOR=\"#a03070\"><B>thick border</B></FONT>: used more "
                         "than once, computed once"));
    if (drawing->has_shared && drawing->has_delta)
        builder_add(drawing->out, TEXT(" &nbsp; "));
    if (drawing->has_delta)
        builder_add(drawing->out,
                    TEXT("<FONT COLOR=\"#d9730d\"><B>orange</B></FONT>: a difference of models"));
    builder_add(drawing->out, TEXT(">;\n"));
}

bool mecha_graph(Engine *engine, Builder *out) {
    bool considered = engine->recipe != NULL;
    if (!considered && ((engine->recipe = engine_elaborate(engine)) == NULL ||
                        (engine->solved = engine_solve(engine)) == NULL))
        return false;
    Drawing drawing = {.engine = engine, .graph = engine->recipe->graph, .out = out};
    choose_nodes(&drawing);
    builder_add(out, TEXT("digraph recipe {\n"
                          "rankdir=LR;\nfontname=\"Helvetica\";\nfontsize=11;\nnodesep=0.2;\n"
                          "node [style=filled, fontname=\"Helvetica\", fontsize=12, "
                          "color=\"#555555\"];\n"
                          "edge [fontname=\"Helvetica\", fontsize=10, fontcolor=\"#555555\", "
                          "arrowsize=0.7];\n"));
    draw_nodes(&drawing);
    draw_edges(&drawing);
    draw_saves(&drawing);
    /* Inside boxes this would be theirs, too, so it comes last. */
    add_legend(&drawing);
    builder_add(out, TEXT("}\n"));
    return true;
}
