/* The lexer of both dialects: one rule a line, a condition for each dialect. */
#include "grammar/instructions.h"
#include "grammar/recipe.h"
#include "syntax/lexer.h"

/*!types:re2c*/

#define IS(type)            return token(lexer, from, cursor, (type), PROBLEM_NONE)
#define MEANT(type, what)   return token(lexer, from, cursor, (type), PROBLEM_##what)

static Token token(Lexer *lexer, const char *from, const char *cursor, int kind, int problem) {
    lexer->cursor = cursor;
    return (Token){(uint16_t)kind, (uint16_t)problem, (uint32_t)(from - lexer->begin), (uint32_t)(cursor - lexer->begin)};
}

Lexer lexer_open(Text text, uint32_t offset, Dialect dialect) {
    int condition = dialect == DIALECT_RECIPE ? yycRECIPE : yycINSTRUCTIONS;
    return (Lexer){text.data, text.data + offset, condition};
}

Token lexer_next(Lexer *lexer) {
    const char *cursor = lexer->cursor, *marker;
    for (;;) {
        const char *from = cursor;
        /*!re2c
        re2c:yyfill:enable = 0;
        re2c:define:YYCTYPE = "unsigned char";
        re2c:define:YYCURSOR = cursor;
        re2c:define:YYMARKER = marker;
        re2c:define:YYGETCONDITION = "lexer->condition";
        re2c:define:YYGETCONDITION:naked = 1;

        end      = "\x00";
        newline  = "\r\n" | "\r" | "\n";
        blank    = [ \t]+;
        comment  = "#" [^\r\n\x00]*;
        digit    = [0-9];
        letter   = [A-Za-z_];
        name     = letter (letter | digit)*;
        exponent = [eE] [+-]? digit+;
        dquoted  = ["] ([^"\\\r\n\x00] | "\\" [^\r\n\x00])*;
        squoted  = ['] ([^'\\\r\n\x00] | "\\" [^\r\n\x00])*;
        bquoted  = [`] [^`\r\n\x00]*;

        <*> end                                  { cursor = from; IS(TOKEN_END); }
        <*> blank                                { continue; }

        <RECIPE> newline                         { IS(T_NEWLINE); }
        <RECIPE> comment                         { IS(TOKEN_COMMENT); }

        <RECIPE> "param"                         { IS(T_PARAM); }
        <RECIPE> "def"                           { IS(T_DEF); }
        <RECIPE> "method"                        { IS(T_METHOD); }
        <RECIPE> "import"                        { IS(T_IMPORT); }
        <RECIPE> "save"                          { IS(T_SAVE); }
        <RECIPE> "config"                        { IS(T_CONFIG); }
        <RECIPE> "conversion"                    { IS(T_CONVERSION); }
        <RECIPE> "template"                      { IS(T_TEMPLATE); }
        <RECIPE> "component"                     { IS(T_COMPONENT); }
        <RECIPE> "optional"                      { IS(T_OPTIONAL); }
        <RECIPE> "alias"                         { IS(T_ALIAS); }
        <RECIPE> "block"                         { IS(T_BLOCK); }
        <RECIPE> "dtype"                         { IS(T_DTYPE); }
        <RECIPE> "dots"                          { IS(T_DOTS); }
        <RECIPE> "next"                          { IS(T_NEXT); }
        <RECIPE> "until"                         { IS(T_UNTIL); }
        <RECIPE> "to"                            { IS(T_TO); }
        <RECIPE> "from"                          { IS(T_FROM); }
        <RECIPE> "with"                          { IS(T_WITH); }
        <RECIPE> "repeat"                        { IS(T_REPEAT); }
        <RECIPE> "if"                            { IS(T_IF); }
        <RECIPE> "then"                          { IS(T_THEN); }
        <RECIPE> "else"                          { IS(T_ELSE); }
        <RECIPE> "for"                           { IS(T_FOR); }
        <RECIPE> "in"                            { IS(T_IN); }
        <RECIPE> "as"                            { IS(T_AS); }
        <RECIPE> "and"                           { IS(T_AND); }
        <RECIPE> "or"                            { IS(T_OR); }
        <RECIPE> "not"                           { IS(T_NOT); }
        <RECIPE> "true"                          { IS(T_TRUE); }
        <RECIPE> "false"                         { IS(T_FALSE); }
        <RECIPE> "null"                          { IS(T_NULL); }

        <RECIPE> name                            { IS(T_NAME); }
        <RECIPE> "``"                            { MEANT(T_NAME, EMPTY_NAME); }
        <RECIPE> bquoted [`]                     { IS(T_NAME); }
        <RECIPE> bquoted                         { MEANT(T_NAME, UNCLOSED_NAME); }
        <RECIPE> digit+                          { IS(T_INT); }
        <RECIPE> digit+ "." digit+ exponent?     { IS(T_FLOAT); }
        <RECIPE> digit+ exponent                 { IS(T_FLOAT); }
        <RECIPE> digit+ "." / [^.0-9A-Za-z_]     { MEANT(T_FLOAT, POINT); }
        <RECIPE> "." digit+ exponent?            { MEANT(T_FLOAT, POINT); }
        <RECIPE> digit+ ("." digit+)? letter (letter | digit | "." digit)* { MEANT(T_FLOAT, NUMBER); }
        <RECIPE> dquoted ["]                     { IS(T_STRING); }
        <RECIPE> dquoted                         { MEANT(T_STRING, UNCLOSED_STRING); }
        <RECIPE> squoted [']?                    { MEANT(T_STRING, SINGLE_QUOTES); }

        <RECIPE> "("                             { IS(T_LP); }
        <RECIPE> ")"                             { IS(T_RP); }
        <RECIPE> "["                             { IS(T_LB); }
        <RECIPE> "]"                             { IS(T_RB); }
        <RECIPE> "{"                             { IS(TOKEN_BRACE); }
        <RECIPE> "}"                             { IS(TOKEN_UNBRACE); }
        <RECIPE> ";"                             { IS(TOKEN_SEMICOLON); }
        <RECIPE> ","                             { IS(T_COMMA); }
        <RECIPE> ":"                             { IS(T_COLON); }
        <RECIPE> "?"                             { IS(T_QUESTION); }
        <RECIPE> "."                             { IS(T_DOT); }
        <RECIPE> ".."                            { IS(T_DOTDOT); }
        <RECIPE> "->"                            { IS(T_ARROW); }
        <RECIPE> "="                             { IS(T_EQUALS); }
        <RECIPE> "=="                            { IS(T_EQ); }
        <RECIPE> "!="                            { IS(T_NE); }
        <RECIPE> "<"                             { IS(T_LT); }
        <RECIPE> "<="                            { IS(T_LE); }
        <RECIPE> ">"                             { IS(T_GT); }
        <RECIPE> ">="                            { IS(T_GE); }
        <RECIPE> "+"                             { IS(T_PLUS); }
        <RECIPE> "-"                             { IS(T_MINUS); }
        <RECIPE> "*"                             { IS(T_STAR); }
        <RECIPE> "/"                             { IS(T_SLASH); }
        <RECIPE> "^"                             { IS(T_CARET); }
        <RECIPE> "|"                             { IS(T_PIPE); }

        <RECIPE> "//" [^\r\n\x00]*               { MEANT(TOKEN_COMMENT, SLASHES); }
        <RECIPE> "**"                            { MEANT(T_CARET, POWER); }
        <RECIPE> "&" | "&&"                      { MEANT(T_AND, AND); }
        <RECIPE> "||"                            { MEANT(T_OR, OR); }
        <RECIPE> "!"                             { MEANT(T_NOT, NOT); }
        <RECIPE> "<>"                            { MEANT(T_NE, UNEQUAL); }
        <RECIPE> "+=" | "-=" | "*=" | "/=" | "^=" | "|=" { MEANT(T_EQUALS, UPDATE); }
        <RECIPE> ":="                            { MEANT(T_EQUALS, WALRUS); }
        <RECIPE> "=>"                            { MEANT(T_ARROW, ARROW); }
        <RECIPE> "..."                           { MEANT(T_DOTDOT, DOTS); }
        <RECIPE> "%" | "@" | "<<" | ">>" | "~"   { MEANT(T_STAR, OPERATOR); }
        <RECIPE> "\\"                            { MEANT(TOKEN_COMMENT, BACKSLASH); }
        <RECIPE> "\xe2\x80" [\x98-\x9f]          { MEANT(TOKEN_COMMENT, CURLY_QUOTE); }
        <RECIPE> "\xe2\x88\x92" | "\xe2\x80" [\x90-\x95] { MEANT(T_MINUS, DASH); }
        <RECIPE> "\xc2\xa0" | "\xe2\x80" [\x80-\x8f] | "\xef\xbb\xbf" { MEANT(TOKEN_COMMENT, SPACE); }
        <RECIPE> ([\xc0-\xff] [\x80-\xbf]*)+     { MEANT(T_NAME, NON_ASCII); }
        <RECIPE> *                               { MEANT(TOKEN_COMMENT, CHARACTER); }

        escaped  = "\\" [^\r\n\x00];
        plain    = [^ \t\r\n\x00"\\=];
        word     = (plain | escaped)+;
        digits   = digit+ ("_" digit+)*;
        integer  = [+-]? digits;
        power    = 'e' [+-]? digits;
        float    = [+-]? (digits power | digits "." digits? power? | "." digits power? | 'inf' | 'infinity' | 'nan');

        <INSTRUCTIONS> newline                   { IS(I_NEWLINE); }
        <INSTRUCTIONS> comment                   { IS(TOKEN_COMMENT); }
        <INSTRUCTIONS> "version"                 { IS(I_VERSION); }
        <INSTRUCTIONS> "model"                   { IS(I_MODEL); }
        <INSTRUCTIONS> "dict"                    { IS(I_DICT); }
        <INSTRUCTIONS> "literal"                 { IS(I_LITERAL); }
        <INSTRUCTIONS> "merge"                   { IS(I_MERGE); }
        <INSTRUCTIONS> "null" | "None"           { IS(I_NULL); }
        <INSTRUCTIONS> "true" | "True"           { IS(I_TRUE); }
        <INSTRUCTIONS> "false" | "False"         { IS(I_FALSE); }
        <INSTRUCTIONS> integer                   { IS(I_INT); }
        <INSTRUCTIONS> float                     { IS(I_FLOAT); }
        <INSTRUCTIONS> "&" integer               { IS(I_REFERENCE); }
        <INSTRUCTIONS> dquoted ["]               { IS(I_STRING); }
        <INSTRUCTIONS> dquoted                   { MEANT(I_STRING, UNCLOSED_STRING); }
        <INSTRUCTIONS> (word | dquoted ["])? "=" { IS(I_KEY); }
        <INSTRUCTIONS> word                      { IS(I_WORD); }
        <INSTRUCTIONS> *                         { MEANT(I_WORD, BACKSLASH); }
        */
    }
}
