/* Calls worth a remark: the slow ones, which the slow log keeps, and the failed ones. */
#ifndef KEYSTORE_SERVICE_NOTABLE_H
#define KEYSTORE_SERVICE_NOTABLE_H

#include "grpc/handler.h"

struct request;

/* Keeps what the slow log says about the request's operation, which has been made, before it is
 * gone. On the thread that made it. */
void notable_note(struct request *request);

/* Its operation has not been made, or not completely, and is not to be looked at. `bytes`: of its
 * message. */
void notable_note_nothing(struct request *request, size_t bytes);

/* Of one that is answered later, after its message is gone: keeps all. */
void notable_note_all(struct request *request);

/* Of one that the engine answers later: keeps what will be gone by then. */
void notable_note_pending(struct request *request);

/* grpc_service's. */
void notable_on_outcome(void *user, struct grpc_call *call, const struct grpc_outcome *outcome);

#endif
