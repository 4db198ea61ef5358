/* Inside the library's face: what mecha.c keeps for the files beside it. */
#ifndef ENGINE_H
#define ENGINE_H

#include "mecha.h"
#include "solve/sources.h"

Arena *engine_arena(Engine *engine);
Library *engine_library(Engine *engine);
Configs *engine_configs(Engine *engine);

#endif
