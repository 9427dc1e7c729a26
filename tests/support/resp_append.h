/* Commands in RESP, as a log has them and a redis-server takes them. */
#ifndef KEYSTORE_TESTS_SUPPORT_RESP_APPEND_H
#define KEYSTORE_TESTS_SUPPORT_RESP_APPEND_H

#include "base/buf.h"

/* Appends a command of at least one argument; false past the limit of `out`. */
bool resp_append(struct buf *out, const struct slice *args, size_t count);

#endif
