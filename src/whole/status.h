/* How a whole-tensor operation ended. */
#ifndef WHOLE_STATUS_H
#define WHOLE_STATUS_H

typedef enum Status {
    STATUS_OK,
    STATUS_NOT_FINITE,    /* the input holds a NaN or an infinity, or the result overflowed */
    STATUS_NOT_CONVERGED, /* an iteration did not come to its end */
    STATUS_SINGULAR       /* a linear system without a unique solution */
} Status;

/* "the iteration did not converge" */
const char *status_text(Status status);

#endif
