/* How long clients wait in the kernel's queue while the data are loaded. */
#ifndef KEYSTORE_SERVER_OPENING_H
#define KEYSTORE_SERVER_OPENING_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* So long, in milliseconds, nobody is told that the server is loading: most restarts are over then,
 * and a client that only waited sees nothing of them, whether or not it would have tried again. */
#define OPENING_HOLD_MS 1000

struct opening {
    pthread_mutex_t mutex;
    pthread_cond_t opened;
    bool is_open;
};

void opening_init(struct opening *opening);
void opening_deinit(struct opening *opening);

/* The data are loaded, or will not be: nobody waits from now on. Thread-safe. */
void opening_open(struct opening *opening);

/* Returns when it is open, or after that many milliseconds; whether it is open. Thread-safe. */
bool opening_wait(struct opening *opening, int64_t most_ms);

#endif
