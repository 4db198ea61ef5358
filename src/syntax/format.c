#include "syntax/format.h"

#include "grammar/instructions.h"
#include "grammar/recipe.h"
#include "syntax/layout.h"
#include "syntax/parse.h"

/* A token or comment, and what is known of it. Sums run over all pieces before it, so that the
 * width of any range is a subtraction. */
typedef struct Piece {
    Token token;
    uint32_t lines;  /* line ends right before it */
    uint32_t close;  /* of a bracket that opens: the piece that closes it */
    uint32_t line;   /* sum of line ends */
    uint32_t width;  /* sum of columns, all on one line */
    uint32_t forced; /* number of pieces that keep what holds them from standing on one line */
    bool operand;    /* may end an expression */
    bool unary;
} Piece;

typedef struct Printer {
    Layout *layout;
    VECTOR(Piece) pieces; /* closed by a TOKEN_END */
    Builder *out;
    uint32_t column, indent; /* of the line being written */
} Printer;

static uint16_t kind_at(const Printer *printer, uint32_t i) {
    return printer->pieces.items[i].token.kind;
}

static Text text_at(const Printer *printer, uint32_t i) {
    Text text = layout_text(printer->layout, printer->pieces.items[i].token);
    if (kind_at(printer, i) == T_NEWLINE)
        return TEXT(";");
    while (text.size > 0 && kind_at(printer, i) == TOKEN_COMMENT &&
           (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
        text.size--;
    return text;
}

static uint32_t columns(Text text) {
    uint32_t n = 0;
    for (size_t i = 0; i < text.size; i++)
        n += (text.data[i] & 0xC0) != 0x80;
    return n;
}

static bool opens(uint16_t kind) {
    return kind == T_LP || kind == T_LB || kind == T_MAP_OPEN || kind == T_BLOCK_OPEN;
}

static bool closes(uint16_t kind) {
    return kind == T_RP || kind == T_RB || kind == T_MAP_CLOSE || kind == T_BLOCK_CLOSE;
}

/* Separators that a single line leaves out: the last one of a bracket. */
static bool is_dropped(const Printer *printer, uint32_t i) {
    uint16_t kind = kind_at(printer, i);
    return (kind == T_COMMA || kind == T_NEWLINE) && closes(kind_at(printer, i + 1));
}

/* Whether a space stands between a piece and the one before it. */
static bool is_spaced(const Printer *printer, uint32_t i) {
    uint16_t before = kind_at(printer, i - 1), kind = kind_at(printer, i);
    if (is_dropped(printer, i - 1) && i >= 2 && closes(kind)) {
        before = kind_at(printer, i - 2);
        if (kind == T_RP || kind == T_RB)
            return false;
    }
    if (before == T_MAP_OPEN || before == T_BLOCK_OPEN)
        return !closes(kind);
    switch (kind) {
    case T_RP:
    case T_RB:
    case T_COMMA:
    case T_COLON:
    case T_NEWLINE:
    case T_DOT:
    case T_DOTDOT:
    case T_QUESTION:
        return kind == T_DOTDOT && before == T_COMMA;
    case T_LP:
    case T_LB:
        if (printer->pieces.items[i - 1].operand && (kind == T_LB || before != T_STRING))
            return false;
        break;
    default:
        break;
    }
    return before != T_LP && before != T_LB && before != T_DOT && before != T_DOTDOT &&
           !printer->pieces.items[i - 1].unary;
}

/* Where an operand is expected within a statement, a keyword is a name; elsewhere it is what it
 * says. */
static bool is_operand(const Piece *before, uint16_t kind) {
    if (!is_soft_keyword(kind))
        return ends_operand(kind);
    return before && !before->operand && before->token.kind != T_NEWLINE &&
           before->token.kind != T_BLOCK_OPEN;
}

static void add_piece(Printer *printer, Token token, uint32_t lines) {
    size_t n = printer->pieces.count;
    const Piece *before = n > 0 ? &printer->pieces.items[n - 1] : NULL;
    bool sign = token.kind == T_MINUS || token.kind == T_STAR;
    Piece piece = {.token = token,
                   .lines = lines,
                   .operand = is_operand(before, token.kind),
                   .unary = sign && !(before && before->operand)};
    vector_push(&printer->pieces, piece);
}

static bool is_line_end(const Layout *layout, Token token) {
    char first = layout->text.data[token.begin];
    return (token.kind == T_NEWLINE || token.kind == TOKEN_BREAK) &&
           (first == '\n' || first == '\r');
}

/* Lets the layout tell what each token is, and gathers all but the line ends that say nothing. */
static void gather(Printer *printer) {
    Layout *layout = printer->layout;
    while (layout_next(layout).kind != TOKEN_END)
        continue;
    uint32_t lines = 0;
    for (size_t i = 0; i < layout->tokens.count; i++) {
        Token token = layout->tokens.items[i];
        if (token.kind != TOKEN_BREAK) {
            add_piece(printer, token, token.kind == T_NEWLINE ? 0 : lines);
            lines = token.kind == T_NEWLINE ? lines : 0;
        }
        lines += is_line_end(layout, token);
    }
}

static void match(Printer *printer) {
    VECTOR(uint32_t) open = {0};
    for (uint32_t i = 0; i < printer->pieces.count; i++) {
        if (opens(kind_at(printer, i)))
            vector_push(&open, i);
        else if (closes(kind_at(printer, i)))
            printer->pieces.items[open.items[--open.count]].close = i;
    }
    vector_free(&open);
}

/* Comments end their line; blocks written over several lines stay so, and maps whose first entry
 * stands on a new line. */
static bool is_forced(const Printer *printer, uint32_t i) {
    const Piece *piece = &printer->pieces.items[i];
    switch (piece->token.kind) {
    case TOKEN_COMMENT:
        return true;
    case T_BLOCK_OPEN:
        return printer->pieces.items[piece->close].line > piece->line;
    case T_MAP_OPEN:
        return piece[1].lines > 0 && piece[1].token.kind != T_MAP_CLOSE;
    case T_ELSE:
        return piece->lines > 0;
    default:
        return false;
    }
}

static void measure(Printer *printer) {
    uint32_t line = 0, width = 0, forced = 0;
    for (uint32_t i = 0; i < printer->pieces.count; i++)
        printer->pieces.items[i].line = line += printer->pieces.items[i].lines;
    for (uint32_t i = 0; i < printer->pieces.count; i++) {
        Piece *piece = &printer->pieces.items[i];
        width += i > 0 && is_spaced(printer, i);
        piece->width = width;
        piece->forced = forced;
        forced += is_forced(printer, i);
        width += is_dropped(printer, i) ? 0 : columns(text_at(printer, i));
    }
}

/* The columns of pieces from BEGIN up to END on one line, and whether they may stand on one. */
static uint32_t width_of(const Printer *printer, uint32_t begin, uint32_t end) {
    if (begin >= end)
        return 0;
    const Piece *pieces = printer->pieces.items;
    return pieces[end - 1].width + columns(text_at(printer, end - 1)) - pieces[begin].width;
}

static bool may_join(const Printer *printer, uint32_t begin, uint32_t end) {
    return printer->pieces.items[begin].forced == printer->pieces.items[end].forced;
}

static void emit(Printer *printer, Text text) {
    builder_add(printer->out, text);
    printer->column += columns(text);
}

static void new_line(Printer *printer, uint32_t indent) {
    builder_char(printer->out, '\n');
    printer->column = 0;
    printer->indent = indent;
}

/* The indentation is written with the first word, so that blank lines hold none. */
static void emit_word(Printer *printer, Text text) {
    while (printer->column < printer->indent)
        emit(printer, TEXT(" "));
    emit(printer, text);
}

static void emit_flat(Printer *printer, uint32_t begin, uint32_t end) {
    for (uint32_t i = begin; i < end; i++) {
        if (i > begin && is_spaced(printer, i))
            emit(printer, TEXT(" "));
        if (!is_dropped(printer, i))
            emit_word(printer, text_at(printer, i));
    }
}

/* A comment stays behind what it follows, or on its own line. */
static void emit_comment(Printer *printer, uint32_t i, uint32_t indent) {
    bool behind = printer->pieces.items[i].lines == 0 && printer->column > 0;
    if (behind)
        emit(printer, TEXT("  "));
    else if (printer->column > 0)
        new_line(printer, indent);
    emit_word(printer, text_at(printer, i));
}

/* Pieces after which a statement may go on in the next line. */
static bool may_break_after(const Printer *printer, uint32_t i) {
    switch (kind_at(printer, i)) {
    case T_PLUS:
    case T_MINUS:
    case T_STAR:
    case T_SLASH:
    case T_CARET:
    case T_PIPE:
    case T_AND:
    case T_OR:
    case T_EQ:
    case T_NE:
    case T_LT:
    case T_LE:
    case T_GT:
    case T_GE:
        return !printer->pieces.items[i].unary;
    default:
        return kind_at(printer, i) == T_COMMA;
    }
}

static bool may_break_before(uint16_t kind) {
    return kind == T_ELSE || kind == T_FOR;
}

/* Where a line that goes on at BEGIN can next be broken; brackets count as one if WHOLE. */
static uint32_t next_break(const Printer *printer, uint32_t begin, uint32_t end, bool whole) {
    for (uint32_t i = begin; i < end; i++) {
        uint16_t kind = kind_at(printer, i);
        if (i > begin && may_break_before(kind))
            return i;
        if (may_break_after(printer, i) || (opens(kind) && !whole))
            return i + 1;
        if (opens(kind))
            i = printer->pieces.items[i].close;
    }
    return end;
}

static void print_range(Printer *printer, uint32_t begin, uint32_t end, uint32_t tail);
static void print_statements(Printer *printer, uint32_t begin, uint32_t end, uint32_t indent);

/* At most one blank line, where there was one. */
static void keep_blank_line(Printer *printer, uint32_t i, uint32_t indent) {
    if (printer->pieces.items[i].lines > 1)
        new_line(printer, indent);
}

static uint32_t item_end(const Printer *printer, uint32_t begin, uint32_t end, uint16_t separator) {
    for (uint32_t i = begin; i < end; i++) {
        if (kind_at(printer, i) == separator)
            return i;
        if (opens(kind_at(printer, i)))
            i = printer->pieces.items[i].close;
    }
    return end;
}

/* Comments at the end of a range are printed after the separator that follows it. */
static uint32_t without_comments(const Printer *printer, uint32_t begin, uint32_t end) {
    while (end > begin && kind_at(printer, end - 1) == TOKEN_COMMENT)
        end--;
    return end;
}

/* What a bracket holds, one item a line. */
static void print_items(Printer *printer, uint32_t begin, uint32_t end, uint32_t indent) {
    uint32_t i = begin;
    while (i < end) {
        bool comment = kind_at(printer, i) == TOKEN_COMMENT;
        if (comment && printer->pieces.items[i].lines == 0) {
            emit_comment(printer, i++, indent);
            continue;
        }
        new_line(printer, indent);
        if (i > begin)
            keep_blank_line(printer, i, indent);
        if (comment) {
            emit_comment(printer, i++, indent);
            continue;
        }
        uint32_t stop = item_end(printer, i, end, T_COMMA);
        uint32_t words = without_comments(printer, i, stop);
        print_range(printer, i, words, 1);
        if (stop < end)
            emit(printer, TEXT(","));
        for (i = words; i < stop; i++)
            emit_comment(printer, i, indent);
        i = stop + (stop < end);
    }
}

/* A bracket over several lines. */
static void print_group(Printer *printer, uint32_t open) {
    uint32_t indent = printer->indent, close = printer->pieces.items[open].close;
    emit_word(printer, text_at(printer, open));
    if (kind_at(printer, open) == T_BLOCK_OPEN)
        print_statements(printer, open + 1, close, indent + FORMAT_INDENT);
    else
        print_items(printer, open + 1, close, indent + FORMAT_INDENT);
    new_line(printer, indent);
    emit_word(printer, text_at(printer, close));
}

/* Whether a bracket fits on the line with what must stand there too. */
static bool group_fits(const Printer *printer, uint32_t open, uint32_t end, uint32_t tail) {
    uint32_t close = printer->pieces.items[open].close;
    if (!may_join(printer, open, close))
        return false;
    bool ends = close + 1 < end && may_break_before(kind_at(printer, close + 1));
    uint32_t stop = ends ? close + 1 : next_break(printer, close + 1, end, false);
    return printer->column + width_of(printer, open, stop) + (stop == end ? tail : 0) <=
           FORMAT_COLUMNS;
}

/* After an operator: whether what comes next goes to a new line. */
static bool overflows(const Printer *printer, uint32_t i, uint32_t end, uint32_t tail) {
    uint32_t whole = next_break(printer, i, end, true);
    uint32_t width = width_of(printer, i, whole) + (whole == end ? tail : 0);
    if (may_join(printer, i, whole) && printer->column + 1 + width <= FORMAT_COLUMNS)
        return false;
    if (may_join(printer, i, whole) && printer->indent + FORMAT_INDENT + width <= FORMAT_COLUMNS)
        return true;
    uint32_t part = next_break(printer, i, end, false);
    return printer->column + 1 + width_of(printer, i, part) > FORMAT_COLUMNS;
}

/* Whether a new line begins at I, which is behind the first piece of a range. */
static bool breaks_before(const Printer *printer, uint32_t i, uint32_t end, uint32_t tail) {
    uint16_t before = kind_at(printer, i - 1);
    if (before == TOKEN_COMMENT)
        return true;
    if (may_break_before(kind_at(printer, i)))
        return before != T_BLOCK_CLOSE;
    return may_break_after(printer, i - 1) && overflows(printer, i, end, tail);
}

/* The expression of a `def` goes to a line of its own where it does not fit behind the `=`. */
static bool is_apart(const Printer *printer, uint32_t begin, uint32_t i, uint32_t end) {
    if (i == begin || kind_at(printer, begin) != T_DEF || kind_at(printer, i - 1) != T_EQUALS)
        return false;
    bool joined = may_join(printer, i, end);
    bool fits = joined && printer->column + 1 + width_of(printer, i, end) <= FORMAT_COLUMNS;
    return !fits && (joined || kind_at(printer, i) == T_IF);
}

/* One piece, or all of a bracket; the last piece of it. */
static uint32_t print_unit(Printer *printer, uint32_t i, uint32_t end, uint32_t tail) {
    uint32_t close = printer->pieces.items[i].close;
    if (!opens(kind_at(printer, i))) {
        emit_word(printer, text_at(printer, i));
        return i;
    }
    if (group_fits(printer, i, end, tail))
        emit_flat(printer, i, close + 1);
    else
        print_group(printer, i);
    return close;
}

/* Pieces that are too long for one line, or hold what must not stand on one. Lines after the first
 * are indented, but for the alternatives of what begins with `if`. */
static void print_broken(Printer *printer, uint32_t begin, uint32_t end, uint32_t tail) {
    uint32_t indent = printer->indent, deeper = indent + FORMAT_INDENT;
    bool choice = kind_at(printer, begin) == T_IF && printer->column <= indent;
    for (uint32_t i = begin; i < end; i++) {
        bool aligned = choice && kind_at(printer, i) == T_ELSE;
        if (kind_at(printer, i) == TOKEN_COMMENT) {
            emit_comment(printer, i, choice ? indent : deeper);
            continue;
        }
        if (is_apart(printer, begin, i, end)) {
            new_line(printer, deeper);
            print_range(printer, i, end, tail);
            break;
        }
        if (i > begin && breaks_before(printer, i, end, tail))
            new_line(printer, aligned ? indent : deeper);
        else if (i > begin && is_spaced(printer, i))
            emit(printer, TEXT(" "));
        i = print_unit(printer, i, end, tail);
    }
    printer->indent = indent;
}

static void print_range(Printer *printer, uint32_t begin, uint32_t end, uint32_t tail) {
    uint32_t start = printer->column > printer->indent ? printer->column : printer->indent;
    if (may_join(printer, begin, end) &&
        start + width_of(printer, begin, end) + tail <= FORMAT_COLUMNS)
        emit_flat(printer, begin, end);
    else
        print_broken(printer, begin, end, tail);
}

/* `x = a; -x`: on a line of its own the value would look as if it went on with the one above. */
static bool stays_behind(const Printer *printer, uint32_t i, bool first) {
    return !first && kind_at(printer, i) == T_MINUS && printer->pieces.items[i].lines == 0;
}

static void print_statements(Printer *printer, uint32_t begin, uint32_t end, uint32_t indent) {
    bool first = true;
    for (uint32_t i = begin; i < end;) {
        bool comment = kind_at(printer, i) == TOKEN_COMMENT;
        if (kind_at(printer, i) == T_NEWLINE) {
            i++;
            continue;
        }
        if (comment && printer->pieces.items[i].lines == 0 && printer->column > 0) {
            emit_comment(printer, i++, indent);
            continue;
        }
        bool after_shebang = first && indent == 0 && printer->out->size > 0;
        if (stays_behind(printer, i, first))
            emit(printer, TEXT("; "));
        else if (printer->out->size > 0)
            new_line(printer, indent);
        if (!first || after_shebang)
            keep_blank_line(printer, i, indent);
        first = false;
        if (comment) {
            emit_comment(printer, i++, indent);
            continue;
        }
        uint32_t stop = item_end(printer, i, end, T_NEWLINE);
        uint32_t words = without_comments(printer, i, stop);
        print_range(printer, i, words, 0);
        for (i = words; i < stop; i++)
            emit_comment(printer, i, indent);
    }
}

static void format_tree(Diags *diags, uint32_t source, Text text, Builder *out) {
    Layout layout = layout_open(diags, source, text);
    Printer printer = {.layout = &layout, .out = out};
    gather(&printer);
    match(&printer);
    measure(&printer);
    print_statements(&printer, 0, (uint32_t)printer.pieces.count - 1, 0);
    builder_char(out, '\n');
    vector_free(&printer.pieces);
    layout_close(&layout);
}

static Text instruction_word(Text text, uint16_t kind) {
    return kind == I_NULL    ? TEXT("null")
           : kind == I_TRUE  ? TEXT("true")
           : kind == I_FALSE ? TEXT("false")
                             : text;
}

/* One line, and the comment behind it on a line before. */
static void format_instruction(Lexer *lexer, Text text, Token token, Builder *out) {
    Builder line = {0};
    bool joined = true;
    for (; token.kind != I_NEWLINE && token.kind != TOKEN_END; token = lexer_next(lexer)) {
        Text word = {text.data + token.begin, token.end - token.begin};
        if (token.kind == TOKEN_COMMENT) {
            if (out->size > 0)
                builder_char(out, '\n');
            builder_add(out, word);
            continue;
        }
        if (!joined)
            builder_char(&line, ' ');
        builder_add(&line, instruction_word(word, token.kind));
        joined = token.kind == I_KEY;
    }
    if (line.size > 0 && out->size > 0)
        builder_char(out, '\n');
    builder_add(out, builder_view(&line));
    builder_free(&line);
}

static void format_instructions(Text text, Builder *out) {
    Lexer lexer = lexer_open(text, lexer_preamble(text), DIALECT_INSTRUCTIONS);
    for (Token token = lexer_next(&lexer); token.kind != TOKEN_END; token = lexer_next(&lexer))
        if (token.kind != I_NEWLINE)
            format_instruction(&lexer, text, token, out);
}

/* The shebang line, without a byte order mark before it. */
static void add_preamble(Text text, Builder *out) {
    uint32_t begin = text_starts(text, TEXT("\xef\xbb\xbf")) ? 3 : 0;
    builder_add(out, (Text){text.data + begin, lexer_preamble(text) - begin});
}

bool format_recipe(Diags *diags, uint32_t source, Builder *out) {
    Arena arena = {0};
    Text text = diags_find(diags, source)->text;
    size_t errors = diag_errors(diags);
    bool recipe = source_dialect(text) == DIALECT_RECIPE;
    if (recipe)
        parse_recipe(&arena, diags, source);
    else
        parse_instructions(&arena, diags, source);
    arena_free(&arena);
    if (diag_errors(diags) > errors)
        return false;
    Builder formatted = {0};
    add_preamble(text, &formatted);
    if (recipe)
        format_tree(diags, source, text, &formatted);
    else
        format_instructions(text, &formatted);
    builder_add(out, builder_view(&formatted));
    builder_free(&formatted);
    return true;
}
