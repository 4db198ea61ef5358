/* What every test file includes: Check, and the list of suites (tests/suites.def). */
#ifndef TESTS_H
#define TESTS_H

#include <check.h>

#define SUITE(name) Suite *name##_suite(void);
#include "suites.def"
#undef SUITE

/* A sanitizer needs terabytes of addresses, so that what limits those can't be had with it. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#endif
