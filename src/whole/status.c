#include "whole/status.h"

const char *status_text(Status status) {
    static const char *const texts[] = {
        [STATUS_OK] = "done",
        [STATUS_NOT_FINITE] = "a value is not finite",
        [STATUS_NOT_CONVERGED] = "the iteration did not converge",
        [STATUS_SINGULAR] = "the system has no unique solution",
    };
    return texts[status];
}
