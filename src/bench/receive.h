/* The receiving side of a session. */
#ifndef KEYSTORE_BENCH_RECEIVE_H
#define KEYSTORE_BENCH_RECEIVE_H

#include "bench/session.h"

/* Takes bytes that arrived at `now_ns`. False, with an error message in session->problem, if the
 * connection must be closed. */
bool receive_bytes(struct session *session, struct slice bytes, uint64_t now_ns)
    __attribute__((warn_unused_result));

#endif
