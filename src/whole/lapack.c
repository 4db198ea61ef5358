#include "whole/lapack.h"

#include "base/arena.h"

#include <assert.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fortran passes everything by reference, and the lengths of texts, all 1, after the rest. */
typedef const char *Letter;
typedef const int *Int;
typedef const double *Real;

static struct {
    void (*dgemm)(Letter, Letter, Int, Int, Int, Real, Real, Int, Real, Int, Real, double *, Int,
                  size_t, size_t);
    void (*dgelqf)(Int, Int, double *, Int, double *, double *, Int, int *);
    void (*dorglq)(Int, Int, Int, double *, Int, Real, double *, Int, int *);
    void (*dgesdd)(Letter, Int, Int, double *, Int, double *, double *, Int, double *, Int,
                   double *, Int, int *, int *, size_t);
    void (*dgesvd)(Letter, Letter, Int, Int, double *, Int, double *, double *, Int, double *, Int,
                   double *, Int, int *, size_t, size_t);
    void (*dsyevd)(Letter, Letter, Int, double *, Int, double *, double *, Int, int *, Int, int *,
                   size_t, size_t);
    void (*dgees)(Letter, Letter, void *, Int, double *, Int, int *, double *, double *, double *,
                  Int, double *, Int, int *, int *, size_t, size_t);
    void (*dgetrf)(Int, Int, double *, Int, int *, int *);
    void (*dgetri)(Int, double *, Int, Int, double *, Int, int *);
    void (*dgetrs)(Letter, Int, Int, Real, Int, Int, double *, Int, int *, size_t);
    void (*set_threads)(int);
} library;

static const struct {
    const char *name;
    void *pointer; /* to the member above */
} symbols[] = {
    {"dgemm_", &library.dgemm},
    {"dgelqf_", &library.dgelqf},
    {"dorglq_", &library.dorglq},
    {"dgesdd_", &library.dgesdd},
    {"dgesvd_", &library.dgesvd},
    {"dsyevd_", &library.dsyevd},
    {"dgees_", &library.dgees},
    {"dgetrf_", &library.dgetrf},
    {"dgetri_", &library.dgetri},
    {"dgetrs_", &library.dgetrs},
    {"openblas_set_num_threads", &library.set_threads},
};

static const char *failure;

/* Where the libraries get no memory they end the program from within, some while they are only half
 * initialised: what they do at an orderly exit would then free what was never allocated, or what
 * other threads still compute with. */
static _Thread_local bool inside;

#define CALL(routine, ...) (inside = true, library.routine(__VA_ARGS__), inside = false)

static void end_from_within(void) {
    if (inside)
        memory_exhausted();
}

static bool resolve(void *handle) {
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        void *address = dlsym(handle, symbols[i].name);
        if (!address)
            return false;
        memcpy(symbols[i].pointer, &address, sizeof address);
    }
    return true;
}

static void load(void) {
    static char message[300];
    /* Else the library starts a thread for every core when it is loaded. */
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    if (atexit(end_from_within) != 0)
        memory_exhausted();
    inside = true;
    void *handle = dlopen("libopenblas.so.0", RTLD_LAZY | RTLD_LOCAL);
    inside = false;
    if (handle && resolve(handle)) {
        CALL(set_threads, 1);
        return;
    }
    snprintf(message, sizeof message, "linear algebra needs OpenBLAS (package libopenblas0): %s",
             dlerror());
    failure = message;
}

const char *lapack_open(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return failure;
}

void lapack_gemm(Transpose op_a, Transpose op_b, int m, int n, int k, double scale, const double *a,
                 int ld_a, const double *b, int ld_b, double keep, double *c, int ld_c) {
    assert(library.dgemm && "lapack_open comes first");
    char letter_a = (char)op_a, letter_b = (char)op_b;
    CALL(dgemm, &letter_a, &letter_b, &m, &n, &k, &scale, a, &ld_a, b, &ld_b, &keep, c, &ld_c, 1,
         1);
}

int lapack_gelqf(int rows, int columns, double *a, int ld, double *tau, double *work, int n_work) {
    int info = 0;
    CALL(dgelqf, &rows, &columns, a, &ld, tau, work, &n_work, &info);
    return info;
}

int lapack_orglq(int rows, int columns, int reflectors, double *a, int ld, const double *tau,
                 double *work, int n_work) {
    int info = 0;
    CALL(dorglq, &rows, &columns, &reflectors, a, &ld, tau, work, &n_work, &info);
    return info;
}

int lapack_gesdd(int rows, int columns, double *a, int ld, double *s, double *u, int ld_u,
                 double *vt, int ld_vt, double *work, int n_work, int *integers) {
    int info = 0;
    CALL(dgesdd, "S", &rows, &columns, a, &ld, s, u, &ld_u, vt, &ld_vt, work, &n_work, integers,
         &info, 1);
    return info;
}

int lapack_gesvd(int rows, int columns, double *a, int ld, double *s, double *u, int ld_u,
                 double *vt, int ld_vt, double *work, int n_work) {
    int info = 0;
    CALL(dgesvd, "S", "S", &rows, &columns, a, &ld, s, u, &ld_u, vt, &ld_vt, work, &n_work, &info,
         1, 1);
    return info;
}

int lapack_syevd(int n, double *a, int ld, double *values, double *work, int n_work, int *integers,
                 int n_integers) {
    int info = 0;
    CALL(dsyevd, "V", "L", &n, a, &ld, values, work, &n_work, integers, &n_integers, &info, 1, 1);
    return info;
}

int lapack_gees(int n, double *a, int ld, double *real, double *imaginary, double *z, int ld_z,
                double *work, int n_work) {
    int info = 0, selected = 0;
    CALL(dgees, "V", "N", NULL, &n, a, &ld, &selected, real, imaginary, z, &ld_z, work, &n_work,
         NULL, &info, 1, 1);
    return info;
}

int lapack_getrf(int n, double *a, int ld, int *pivots) {
    int info = 0;
    CALL(dgetrf, &n, &n, a, &ld, pivots, &info);
    return info;
}

int lapack_getri(int n, double *a, int ld, const int *pivots, double *work, int n_work) {
    int info = 0;
    CALL(dgetri, &n, a, &ld, pivots, work, &n_work, &info);
    return info;
}

int lapack_getrs(Transpose op, int n, int columns, const double *factors, int ld, const int *pivots,
                 double *b, int ld_b) {
    int info = 0;
    char letter = (char)op;
    CALL(dgetrs, &letter, &n, &columns, factors, &ld, pivots, b, &ld_b, &info, 1);
    return info;
}
