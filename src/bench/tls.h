/* TLS of connections to the server. Thread-safe. */
#ifndef KEYSTORE_BENCH_TLS_H
#define KEYSTORE_BENCH_TLS_H

#include "bench/options.h"
#include "bench/target.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ssl_st;
struct tls;

/* Loads the files of the options, which are borrowed. NULL with an error message in `problem`. Free
 * with tls_free(); NULL is allowed there. */
struct tls *tls_new(const struct options *options, char problem[static TARGET_PROBLEM_SIZE]);
void tls_free(struct tls *tls);

/* The handshake on a connected, nonblocking socket; blocks up to the timeout. NULL with an error
 * message in `problem`. Free with tls_close(); NULL is allowed there. */
struct ssl_st *tls_connect(const struct tls *tls, const struct target *target, int fd,
                           uint64_t timeout_ns, char problem[static TARGET_PROBLEM_SIZE]);
void tls_close(struct ssl_st *ssl);

/* As recv(2) and send(2) on a nonblocking socket. */
ssize_t tls_receive(struct ssl_st *ssl, uint8_t *buffer, size_t size);
ssize_t tls_send(struct ssl_st *ssl, const uint8_t *bytes, size_t size);

#endif
