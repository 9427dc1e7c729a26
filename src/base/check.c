/* How the process ends when it finds itself wrong, or without memory. Knows nothing of what was
 * checked. */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a thread may have earned, so that a long time with small structures does not pay for a
 * minute with large ones. */
#define MOST_STEPS ((size_t)1 << 20)

/* The message of `len` bytes, perhaps cut. What comes of it is no matter: the abort says enough. */
static void check_tell(const char *message, size_t size, int len)
{
    size_t count = len < 0 ? 0 : (size_t)len < size ? (size_t)len : size - 1;
    ssize_t ignored = write(STDERR_FILENO, message, count);
    (void)ignored;
}

/* The path from the top of the tree on, wherever the compiler was started. */
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
    check_tell(message, sizeof message, len);
    abort();
}

void check_out_of_memory(size_t bytes)
{
    char message[128];
    int len = bytes > 0 ? snprintf(message, sizeof message,
                                   "keystore: out of memory while allocating %zu bytes\n", bytes)
                        : snprintf(message, sizeof message, "keystore: out of memory\n");
    check_tell(message, sizeof message, len);
    abort();
}

void check_system_failed(const char *call, int error)
{
    char message[128];
    int len = snprintf(message, sizeof message, "keystore: %s failed: %s\n", call, strerror(error));
    check_tell(message, sizeof message, len);
    abort();
}

bool check_is_spared(size_t size)
{
    static _Thread_local size_t earned;
    earned = earned < MOST_STEPS ? earned + CHECK_STEPS : MOST_STEPS;
    if (size > earned)
        return true;
    earned -= size;
    return false;
}
