/* Calls getrandom(2) until the buffer is full. */
#include "base/random.h"

#include "base/check.h"

#include <errno.h>
#include <stdint.h>
#include <sys/random.h>

void random_fill(void *out, size_t size)
{
    uint8_t *at = out;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            check_system_failed("getrandom", errno);
        at += got;
        size -= (size_t)got;
    }
}
