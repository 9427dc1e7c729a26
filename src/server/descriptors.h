/* The descriptors that the system lets this process have, and how many of them are for clients. */
#ifndef KEYSTORE_SERVER_DESCRIPTORS_H
#define KEYSTORE_SERVER_DESCRIPTORS_H

#include <stdint.h>

/* Each connection is a descriptor: takes as many as the system lets us have. */
void descriptors_raise_limit(void);

/* The limit of open files. */
uint64_t descriptors_limit(void);

/*
 * How many connections there may be beside what is open now, so that the files of the journal, and
 * what each of the threads opens for a moment, find a descriptor at any time; 0: not even one.
 */
uint64_t descriptors_for_connections(uint32_t threads);

#endif
