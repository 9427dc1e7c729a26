/* Unary calls that wait for a list: blocking pops. */
#ifndef KEYSTORE_SERVICE_BLOCKED_H
#define KEYSTORE_SERVICE_BLOCKED_H

struct blocked;
struct request;

/* There is no list for the request, or others are in line for it. From now on the call's user
 * pointer is a struct blocked, and the request is recycled. */
void blocked_begin(struct request *request);

/* Ends the wait without an answer. */
void blocked_free(struct blocked *blocked);

#endif
