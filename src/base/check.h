/*
 * Assertions: what must hold whatever a client sends, a file contains or the system refuses. For
 * those there are errors; an assertion that fails is a mistake of this program, which then ends at
 * once, before it answers or writes anything that is not true.
 *
 *     CHECK           in every build, where it costs nothing that can be measured
 *     DCHECK          in debug and sanitizer builds, which define KEYSTORE_DEBUG; a release
 * compiles it, so that it stays right, but never evaluates it DCHECK_SOUND    the same for a walk
 * over a whole structure of `size` parts: each time if these are few, else so seldom that each edit
 * pays for a few steps on average CHECK_NEVER     a place that cannot be reached; the text says why
 *
 * The conditions have no side effects.
 */
#ifndef KEYSTORE_BASE_CHECK_H
#define KEYSTORE_BASE_CHECK_H

#include <stdbool.h>
#include <stddef.h>

/* Writes `keystore: src/FOLDER/FILE.c:LINE: check failed: EXPRESSION` to standard error and
 * aborts. Takes no lock and no memory. */
void check_failed(const char *file, int line, const char *expression)
    __attribute__((noreturn, cold));

/* There is no memory for that many bytes (0: not known how many), and no way to go on without: says
 * so on standard error and aborts. */
void check_out_of_memory(size_t bytes) __attribute__((noreturn, cold));

/* The system refused a call without which there is no way to go on; `error` is its errno. The same.
 */
void check_system_failed(const char *call, int error) __attribute__((noreturn, cold));

/* True if a walk over `size` parts is to be spared this time. Each call of a thread earns
 * CHECK_STEPS, and a walk is made when it has been earned. */
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
