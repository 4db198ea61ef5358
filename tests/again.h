/* A model that mecha made carries the recipe that makes it again. */
#ifndef TESTS_AGAIN_H
#define TESTS_AGAIN_H

/* Runs the recipe that the model at OUTPUT carries, with models from the scratch folder: the
 * result must be the same file, byte by byte. */
void check_again(const char *output);

#endif
