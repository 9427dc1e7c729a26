/* The names of gRPC's status codes, which both sides know by their numbers. */
#ifndef KEYSTORE_BASE_CODE_NAME_H
#define KEYSTORE_BASE_CODE_NAME_H

#include <stddef.h>

/* Such as "NOT_FOUND"; static memory. NULL for a number that is no code. */
static inline const char *code_name(unsigned code)
{
    static const char *const names[] = {
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    };
    return code < sizeof names / sizeof *names ? names[code] : NULL;
}

#endif
