/* Where the server is, and how to connect to it. */
#ifndef KEYSTORE_BENCH_TARGET_H
#define KEYSTORE_BENCH_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define TARGET_NAME_SIZE    300
#define TARGET_PROBLEM_SIZE 500

struct target {
    char name[TARGET_NAME_SIZE]; /* "host:port" or "unix:PATH", for people */
    char authority[TARGET_NAME_SIZE];
    struct sockaddr_storage address;
    socklen_t address_len;
};

/*
 * Resolves the host and connects once, to choose the first of its addresses where somebody listens;
 * with `unix_path` that is used instead. False with a sentence in `problem` if nobody does.
 */
bool target_find(struct target *target, const char *host, const char *port, const char *unix_path,
                 uint64_t timeout_ns, char problem[static TARGET_PROBLEM_SIZE])
    __attribute__((warn_unused_result));

/* A connected, non-blocking socket, or -1 with a sentence in `problem`. Waits up to the timeout. */
int target_connect(const struct target *target, uint64_t timeout_ns,
                   char problem[static TARGET_PROBLEM_SIZE]) __attribute__((warn_unused_result));

#endif
