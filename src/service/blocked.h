/* Unary calls that wait for a list: blocking pops. */
#ifndef KEYSTORE_SERVICE_BLOCKED_H
#define KEYSTORE_SERVICE_BLOCKED_H

#include <stdbool.h>

struct blocked;
struct request;

/* There is no list for the request, or others are in line for it. From now on the call's user
 * pointer is a struct blocked, and the request is recycled. */
void blocked_begin(struct request *request);

/* Whether the call's principal, who may be another one now, may still make it. */
bool blocked_may_go_on(struct blocked *blocked);

/* Ends the wait without an answer. */
void blocked_free(struct blocked *blocked);

#endif
