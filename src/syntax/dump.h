/* A tree as text, for tests and for whoever wants to see what was read.
 *
 *     x = a + 2 * f(b, k = 1)      (bind x (+ a (* 2 (call f [b (k= 1)]))))
 */
#ifndef SYNTAX_DUMP_H
#define SYNTAX_DUMP_H

#include "syntax/ast.h"

/* Children in order (`_` where one is missing before another), items within brackets. */
void ast_dump(const Ast *node, Builder *out);

/* Whether two trees say the same, wherever it stands. */
bool ast_equal(const Ast *left, const Ast *right);

#endif
