/*
 * Finds out who makes a call, and whether that user may call the method at all. For a service with
 * a users file: these are callbacks of grpc/handler.h, whose `user` is the service.
 */
#ifndef KEYSTORE_SERVICE_ADMIT_H
#define KEYSTORE_SERVICE_ADMIT_H

#include "base/err.h"
#include "base/slice.h"

struct grpc_call;
struct grpc_principal;

enum err admit_call(void *user, const struct grpc_call *call, const void *method,
                    struct slice authorization, struct grpc_principal **principal,
                    const char **why);
bool admit_is_current(void *user, const struct grpc_principal *principal);
enum err admit_review(void *user, struct grpc_call *call, const void *method, const char **why);

#endif
