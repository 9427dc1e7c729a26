/* The receiving side of a session. */
#ifndef KEYSTORE_BENCH_RECEIVE_H
#define KEYSTORE_BENCH_RECEIVE_H

#include "bench/session.h"

/* Takes all the bytes, which came at `now_ns`. False if the connection must end: session->problem
 * is a sentence that says why. */
bool receive_bytes(struct session *session, struct slice bytes, uint64_t now_ns)
    __attribute__((warn_unused_result));

#endif
