/* The client connection preface (RFC 9113, 3.4), and what the first bytes are if they are something
 * else; private to http2. */
#ifndef KEYSTORE_HTTP2_PREFACE_H
#define KEYSTORE_HTTP2_PREFACE_H

#include "base/closing.h"
#include "base/slice.h"

#define PREFACE_SIZE ((size_t)24)

/*
 * Classifies the first bytes of a connection, at most PREFACE_SIZE. `kind` is CLOSING_NONE if they
 * are a prefix of the preface or too few to decide; PREFACE_SIZE bytes are always enough.
 */
struct closing preface_classify(struct slice bytes);

/* A complete HTTP/1.1 response that explains what the port speaks. */
struct slice preface_http1_answer(void);

#endif
