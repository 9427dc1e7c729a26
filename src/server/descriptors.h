/* The limit of file descriptors of this process, and how many of them are for clients. */
#ifndef KEYSTORE_SERVER_DESCRIPTORS_H
#define KEYSTORE_SERVER_DESCRIPTORS_H

#include <stdint.h>

/* Raises the soft limit to the hard one, for each connection takes a descriptor. */
void descriptors_raise_limit(void);

/* The limit of open files. */
uint64_t descriptors_limit(void);

/*
 * How many connections there may be in addition to what is open now, so that the journal's files,
 * and what each of the threads opens briefly, always find a descriptor; 0: none.
 */
uint64_t descriptors_for_connections(uint32_t threads);

#endif
