/* The address of the server, and connecting to it. */
#ifndef KEYSTORE_BENCH_TARGET_H
#define KEYSTORE_BENCH_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define TARGET_NAME_SIZE    300
#define TARGET_PROBLEM_SIZE 500

struct tls;

struct target {
    char name[TARGET_NAME_SIZE]; /* "host:port" or "unix:PATH", for people */
    char authority[TARGET_NAME_SIZE];
    struct sockaddr_storage address;
    socklen_t address_len;
    const struct tls
        *tls; /* borrowed; NULL: plaintext. For connections, not for target_connect() */
};

/*
 * Resolves the host and connects once, to choose the first of its addresses on which a server
 * listens; `unix_path`, if not NULL, is used instead. False, with an error message in `problem`, if
 * none does.
 */
bool target_find(struct target *target, const char *host, const char *port, const char *unix_path,
                 uint64_t timeout_ns, char problem[static TARGET_PROBLEM_SIZE])
    __attribute__((warn_unused_result));

/* A connected, nonblocking socket, or -1 with an error message in `problem`. Blocks up to the
 * timeout. */
int target_connect(const struct target *target, uint64_t timeout_ns,
                   char problem[static TARGET_PROBLEM_SIZE]) __attribute__((warn_unused_result));

#endif
