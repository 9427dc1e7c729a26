/*
 * Patterns for keys and channels, with the meaning that they have in Redis:
 *
 *     *        any bytes, or none
 *     ?        one byte
 *     [a-cx]   one byte of the class; [^a-cx]: one that is not. A range may be the wrong way round.
 *              The class ends at the first ']', even if it is empty then, or with the pattern.
 *     \x       the byte x, also in a class; a lone '\' at the end stands for itself
 *
 * Any pattern is valid, and bytes are compared as such, whatever their encoding. Unlike in Redis on
 * some processors, bytes from 128 on come after the others in ranges.
 */
#ifndef KEYSTORE_BASE_GLOB_H
#define KEYSTORE_BASE_GLOB_H

#include "base/slice.h"

/* True if the whole text matches. Takes a millisecond at most for a pattern of 1 KiB and a text of
 * 64 KiB, whatever they are; without recursion, with 34 KiB of the stack. */
bool glob_match(struct slice pattern, struct slice text);

#endif
