/*
 * Assertions: what must hold whatever a client sends, a file contains or the system refuses. Those
 * cases get errors; an assertion that fails is a bug in this program, which then ends immediately,
 * before it answers or writes anything wrong.
 *
 *     CHECK          in every build, where its cost cannot be measured
 *     DCHECK         in debug and sanitizer builds, which define KEYSTORE_DEBUG; a release build
 *                    compiles it, so that it stays valid, but never evaluates it
 *     DCHECK_SOUND   the same for a walk over a whole structure of `size` parts: each time if they
 *                    are few, else so rarely that each edit pays for a few steps on average
 *     CHECK_NEVER    a place that cannot be reached; the text says why
 *
 * The conditions have no side effects.
 */
#ifndef KEYSTORE_BASE_CHECK_H
#define KEYSTORE_BASE_CHECK_H

#include <stdbool.h>
#include <stddef.h>

/* Writes `keystore: src/FOLDER/FILE.c:LINE: check failed: EXPRESSION` to standard error and aborts.
 * Takes no lock and allocates nothing. */
void check_failed(const char *file, int line, const char *expression)
    __attribute__((noreturn, cold));

/* An allocation of that many bytes (0: unknown) has failed, and the process cannot go on without
 * it: writes a message to standard error and aborts. */
void check_out_of_memory(size_t bytes) __attribute__((noreturn, cold));

/* A system call has failed that the process cannot go on without; `error` is its errno. Writes a
 * message to standard error and aborts. */
void check_system_failed(const char *call, int error) __attribute__((noreturn, cold));

/* True if a walk over `size` parts is to be skipped this time. Each call earns its thread
 * CHECK_STEPS of credit; a walk is made when the credit covers it. */
bool check_is_spared(size_t size);

#define CHECK_STEPS ((size_t)2)

#define CHECK_TEXT(condition, text)                                                                \
    (__builtin_expect(!(condition), 0) ? check_failed(__FILE__, __LINE__, text) : (void)0)

#define CHECK(condition)  CHECK_TEXT(condition, #condition)
#define CHECK_NEVER(text) check_failed(__FILE__, __LINE__, text)

#ifdef KEYSTORE_DEBUG
#define DCHECK(condition) CHECK_TEXT(condition, #condition)
#define DCHECK_SOUND(condition, size)                                                              \
    (check_is_spared(size) ? (void)0 : CHECK_TEXT(condition, #condition))
#else
#define DCHECK(condition)             ((void)(0 && (condition)))
#define DCHECK_SOUND(condition, size) ((void)(0 && (size) > 0 && (condition)))
#endif

#endif
