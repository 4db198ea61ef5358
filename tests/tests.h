/* What every test file includes: Check, and the list of suites (tests/suites.def). */
#ifndef TESTS_H
#define TESTS_H

#include <check.h>

#define SUITE(name) Suite *name##_suite(void);
#include "suites.def"
#undef SUITE

#endif
