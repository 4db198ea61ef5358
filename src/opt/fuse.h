/* Turns a program into passes over the data (program/pass.h).
 *
 * What has to be computed is a graph of instances: a value in a context, which is the domain that a
 * pass goes through, or the uniform code, or a buffer. The same value may be computed in several
 * contexts. A level numbers the earliest pass in which an instance can be computed; all stores and
 * reductions of one level and one context share a pass, and each pass recomputes what it needs from
 * the leaves, but for what is held in a buffer. (opt/instance.h finds the instances, opt/emit.h
 * writes the passes.) */
#ifndef OPT_FUSE_H
#define OPT_FUSE_H

#include "opt/rewrite.h"

/* PROGRAM must have been through the rewrites: rows of at most ROW_LIMIT elements. */
PassList *fuse(Arena *arena, Program *program, const RootSpec *roots, uint32_t n_roots,
               const OptimiseOptions *options);

#endif
