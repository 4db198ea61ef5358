/* What configs and conversions are written with besides keys and rules: values, loops, conditions,
 * names with wildcards, templates. (Inside solve/.) */
#ifndef SOLVE_STRUCTURE_H
#define SOLVE_STRUCTURE_H

#include "base/vector.h"
#include "solve/configs.h"

typedef enum DatumKind { DATUM_NONE, DATUM_NUMBER, DATUM_TEXT, DATUM_LIST } DatumKind;

typedef struct Datum {
    DatumKind kind; /* NONE: a mistake, reported already */
    int64_t number;
    Text text;
    const struct Datum *items;
    uint32_t n_items;
} Datum;

typedef struct Variable {
    Text name;
    Datum value;
} Variable;

typedef VECTOR(Text) Texts;

/* The template that a call is of. */
typedef struct KnownTemplate {
    const Ast *call, *template;
    const Scope *scope;
} KnownTemplate;

enum { KNOWN_TEMPLATES = 64, SPARE_TEXTS = 2 };

typedef struct Structure Structure;
struct Structure {
    Arena *arena;
    Diags *diags;
    const Scope *scope;    /* of the config, conversion or template being read */
    const Variable *given; /* one that is seen everywhere, templates included; or NULL */
    VECTOR(Variable) variables;
    size_t frame;               /* where those of the template being read begin */
    VECTOR(const Ast *) blocks; /* around the item being read: their templates can be called */
    VECTOR(const Ast *) spine;  /* the steps of the chains being evaluated */
    Texts spare[SPARE_TEXTS];   /* room for names, which are read and forgotten by thousands */
    uint32_t n_spare;
    KnownTemplate known[KNOWN_TEMPLATES]; /* by hash of the call */
    uint32_t depth, deepest;              /* of templates: now, and so far */
    uint32_t steps;                       /* names and items read so far */
    bool open_names;                      /* wildcards that no variable has stay in names */
    bool failed;
    /* Reads an item that is no variable, loop, condition or call of a template; PLACE is what
     * structure_read was given, or what the reader of an item gave it. */
    void (*read_item)(Structure *structure, const Ast *item, const void *place);
    /* Reads the body of a template, whose parameters have VALUES; NULL: structure_read does. */
    void (*read_body)(Structure *structure, const Ast *template, const Datum *values,
                      const void *place);
};

void structure_free(Structure *structure); /* what is not in the arena */

/* Reports a mistake at SPAN; the result is DATUM_NONE. */
Datum structure_fail(Structure *structure, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* NULL where there is no variable of that name. */
const Datum *structure_variable(const Structure *structure, Text name);

Datum structure_evaluate(Structure *structure, const Ast *ast);
bool structure_number(Structure *structure, const Ast *ast, int64_t *number);

/* Every name that a string stands for; the caller gives the list back. */
Texts structure_names(Structure *structure, const Ast *string);
void structure_forget(Structure *structure, Texts *names);
/* The one name that it stands for. */
Text structure_name(Structure *structure, const Ast *string);
/* A number as names have it. */
Text structure_digits(Arena *arena, int64_t number);
Text structure_join(Arena *arena, Text a, Text b);
Text structure_join_all(Arena *arena, const Text *pieces, uint32_t n);
/* What a wildcard holds: its name, and behind a colon how its value is written. */
void structure_split(Text inside, Text *name, Text *format);
/* A value written so; false where there is no such format. */
bool structure_format(Arena *arena, Text value, Text format, Text *out);
/* NAME with something else for its dots. */
Text structure_undot(Arena *arena, Text name, Text dots);

/* Whether what took STEPS once, and LEVELS of templates, can be done again, which is counted then.
 */
bool structure_repeats(Structure *structure, uint32_t steps, uint32_t levels);

uint64_t datum_hash(const Datum *datum, uint64_t seed);
bool datum_equal(const Datum *a, const Datum *b);

/* Reads the items of a block. */
void structure_read(Structure *structure, const Ast *block, const void *place);

#endif
