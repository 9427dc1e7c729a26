/* The clocks. Code that must be replayable takes a time as an argument instead. */
#ifndef KEYSTORE_BASE_CLOCK_H
#define KEYSTORE_BASE_CLOCK_H

#include <stdint.h>

/* Wall clock: milliseconds since 1970-01-01 UTC. */
int64_t clock_unix_ms(void);

/* Monotonic clock: milli-, micro- or nanoseconds since some fixed instant; never goes backwards. */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);
int64_t clock_monotonic_ns(void);

#endif
