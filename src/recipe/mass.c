#include "recipe/mass.h"

#include <math.h>
#include <string.h>

/* Constants compare within this: coefficients such as 0.1 + 0.2 + 0.7 are not exact. */
static const double mass_tolerance = 1e-6;

Mass mass_number(Arena *arena, double number) {
    static const MassTerm one = {.coefficient = 1};
    if (number == 0 || number == 1)
        return (Mass){.terms = &one, .n_terms = number == 1};
    MassTerm *term = arena_new(arena, MassTerm);
    term->coefficient = number;
    return (Mass){.terms = term, .n_terms = 1};
}

Mass mass_symbol(Arena *arena, NodeId symbol) {
    MassTerm *term = arena_new(arena, MassTerm);
    *term = (MassTerm){.coefficient = 1, .degree = 1, .symbols = {symbol}};
    return (Mass){.terms = term, .n_terms = 1};
}

static int compare_terms(const MassTerm *a, const MassTerm *b) {
    if (a->degree != b->degree)
        return a->degree < b->degree ? -1 : 1;
    for (uint32_t i = 0; i < a->degree; i++)
        if (a->symbols[i] != b->symbols[i])
            return a->symbols[i] < b->symbols[i] ? -1 : 1;
    return 0;
}

Mass mass_add(Arena *arena, Mass a, Mass b, double sign) {
    if (a.unknown || b.unknown || a.n_terms + b.n_terms > MASS_TERMS)
        return (Mass){.unknown = true};
    if (b.n_terms == 0)
        return a;
    MassTerm *terms = arena_array(arena, MassTerm, a.n_terms + b.n_terms);
    uint32_t n = 0, i = 0, k = 0;
    while (i < a.n_terms || k < b.n_terms) {
        int order = i == a.n_terms   ? 1
                    : k == b.n_terms ? -1
                                     : compare_terms(&a.terms[i], &b.terms[k]);
        MassTerm term = order <= 0 ? a.terms[i++] : b.terms[k];
        if (order > 0)
            term.coefficient *= sign;
        if (order >= 0) {
            double other = b.terms[k++].coefficient * sign;
            double scale = fmax(fabs(term.coefficient), fabs(other));
            if (order == 0)
                term.coefficient += other;
            if (fabs(term.coefficient) <= 1e-12 * scale)
                continue;
        }
        terms[n++] = term;
    }
    return (Mass){.terms = terms, .n_terms = n};
}

static bool multiply_terms(const MassTerm *a, const MassTerm *b, MassTerm *out) {
    if (a->degree + b->degree > MASS_DEGREE)
        return false;
    *out =
        (MassTerm){.coefficient = a->coefficient * b->coefficient, .degree = a->degree + b->degree};
    uint32_t i = 0, k = 0;
    for (uint32_t at = 0; at < out->degree; at++) {
        bool first = k == b->degree || (i < a->degree && a->symbols[i] <= b->symbols[k]);
        out->symbols[at] = first ? a->symbols[i++] : b->symbols[k++];
    }
    return true;
}

Mass mass_multiply(Arena *arena, Mass a, Mass b) {
    Mass product = {.unknown = a.unknown || b.unknown};
    for (uint32_t k = 0; k < b.n_terms && !product.unknown; k++) {
        MassTerm *terms = arena_array(arena, MassTerm, a.n_terms);
        for (uint32_t i = 0; i < a.n_terms; i++)
            if (!multiply_terms(&a.terms[i], &b.terms[k], &terms[i]))
                return (Mass){.unknown = true};
        /* Multiplying all terms by one monomial may change their order, so they are added one by
         * one. */
        for (uint32_t i = 0; i < a.n_terms; i++)
            product = mass_add(arena, product, (Mass){.terms = &terms[i], .n_terms = 1}, 1);
    }
    return product;
}

bool mass_constant(Mass mass, double *number) {
    if (mass.unknown)
        return false;
    *number = 0;
    for (uint32_t i = 0; i < mass.n_terms; i++)
        if (mass.terms[i].degree == 0)
            *number = mass.terms[i].coefficient;
        else if (fabs(mass.terms[i].coefficient) > mass_tolerance)
            return false;
    double rounded = round(*number);
    if (fabs(*number - rounded) <= mass_tolerance)
        *number = rounded;
    return true;
}
