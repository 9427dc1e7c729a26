/* From a member to the struct that it lies in, for callbacks that get the member. */
#ifndef KEYSTORE_BASE_CONTAINER_H
#define KEYSTORE_BASE_CONTAINER_H

#include <stddef.h>

/* The struct of that type whose member the pointer points to. */
#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
