/* Merge spaces: the types of what is merged.
 *
 * `weight` is a point, `delta` a difference of points, `param` a coefficient; more can be named by
 * methods. A set of spaces is a bit mask. */
#ifndef RECIPE_SPACE_H
#define RECIPE_SPACE_H

#include "base/text.h"

typedef uint32_t SpaceSet;

enum { SPACE_WEIGHT, SPACE_DELTA, SPACE_PARAM, SPACE_BUILTIN, SPACE_LIMIT = 32 };

#define SPACE_SET(space) ((SpaceSet)1 << (space))
#define SPACES_ALL       ((SpaceSet) ~(SpaceSet)0)

static inline bool space_single(SpaceSet set) {
    return set != 0 && (set & (set - 1)) == 0;
}

#endif
