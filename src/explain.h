/* What `mecha explain` tells of the passes of a plan. */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include "engine.h"

void explain_passes(Engine *engine, Builder *out);
/* Members of an object, each behind a comma. */
void explain_json_passes(Engine *engine, Builder *out);

#endif
