/* Ends the process after a failed assertion or allocation. Knows nothing of what was checked. */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The most credit of a thread, so that a long time with small structures does not pay for a minute
 * of walks over large ones. */
#define MAX_CREDIT ((size_t)1 << 20)

/* Writes the message of `len` bytes, perhaps truncated. Best effort: errors are ignored, since the
 * process aborts anyway. */
static void check_write(const char *message, size_t size, int len)
{
    size_t count = len < 0 ? 0 : (size_t)len < size ? (size_t)len : size - 1;
    ssize_t ignored = write(STDERR_FILENO, message, count);
    (void)ignored;
}

/* The path relative to the source tree, wherever the compiler was started. */
static const char *check_shorten(const char *path)
{
    const char *shortened = path;
    for (const char *at = path; (at = strstr(at, "src/")) != NULL; at++)
        shortened = at;
    return shortened;
}

void check_failed(const char *file, int line, const char *expression)
{
    char message[512];
    int len = snprintf(message, sizeof message, "keystore: %s:%d: check failed: %s\n",
                       check_shorten(file), line, expression);
    check_write(message, sizeof message, len);
    abort();
}

void check_out_of_memory(size_t bytes)
{
    char message[128];
    int len = bytes > 0 ? snprintf(message, sizeof message,
                                   "keystore: out of memory while allocating %zu bytes\n", bytes)
                        : snprintf(message, sizeof message, "keystore: out of memory\n");
    check_write(message, sizeof message, len);
    abort();
}

void check_system_failed(const char *call, int error)
{
    char message[128];
    int len = snprintf(message, sizeof message, "keystore: %s failed: %s\n", call, strerror(error));
    check_write(message, sizeof message, len);
    abort();
}

bool check_is_spared(size_t size)
{
    static _Thread_local size_t credit;
    credit = credit < MAX_CREDIT ? credit + CHECK_STEPS : MAX_CREDIT;
    if (size > credit)
        return true;
    credit -= size;
    return false;
}
