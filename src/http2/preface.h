/* The first bytes of a connection (RFC 9113, 3.4), and what they are if no client of HTTP/2 sent
 * them; private to http2. */
#ifndef KEYSTORE_HTTP2_PREFACE_H
#define KEYSTORE_HTTP2_PREFACE_H

#include "base/closing.h"
#include "base/slice.h"

#define PREFACE_SIZE ((size_t)24)

/*
 * Judges the first bytes of a connection, at most PREFACE_SIZE. `kind` is CLOSING_NONE if they may
 * still become a preface or are too few to be told from it or from each other; PREFACE_SIZE bytes
 * never are.
 */
struct closing preface_judge(struct slice bytes);

/* A whole answer for a client of HTTP/1. */
struct slice preface_http1_answer(void);

#endif
