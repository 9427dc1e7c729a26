/*
 * Writes with a request id (metadata keystore-request-id): carried out once, however often the call
 * is repeated. store/receipts.h has the invariants. Private to the service.
 *
 * The claim of a call is taken before it is carried out, and ends with its commit, on whatever
 * thread that is made (struct op_receipt), or with an answer that needed none. Else it is released
 * with the request: the call has failed or was cancelled, and nothing took effect.
 */
#ifndef KEYSTORE_SERVICE_IDENTIFIED_H
#define KEYSTORE_SERVICE_IDENTIFIED_H

#include "base/err.h"
#include "base/slice.h"

struct engine;
struct grpc_metadata;
struct identified;
struct method;
struct request;

/* Why a call of the method is refused because of its request id; NULL: it is not. */
const char *identified_refuses(const struct engine *engine, const struct method *method,
                               const struct grpc_metadata *metadata);

/* True if the call is a write with a request id: then request->identified is set. */
bool identified_init(struct request *request, const struct grpc_metadata *metadata);

/* Ends the claim, if there still is one, and frees it. NULL is allowed. */
void identified_free(struct identified *identified);

enum identified_answer {
    IDENTIFIED_GO,       /* the call has the claim, as before or from now on */
    IDENTIFIED_ANSWERED, /* the result is set, and the reply encoded unless that is an error; to be
                            shown after engine_settle() */
    IDENTIFIED_BUSY,     /* another call has it. The worker will be woken when that has ended */
};

/* Claims the id for the request with this message. To be called again after IDENTIFIED_BUSY. On the
 * thread that has the request. */
enum identified_answer identified_claim(struct request *request, struct slice message);

/* The request has succeeded, with the result of its task. If that needed no commit, it is kept in
 * memory now. */
void identified_end(struct request *request);

#endif
