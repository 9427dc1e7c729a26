/*
 * Distinguishes the client connection preface from what else arrives at a port by mistake. It only
 * looks at bytes; the session decides what happens to the connection.
 */
#include "http2/preface.h"

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
static const char proxy_2[] = "\r\n\r\n\0\r\nQUIT\n";
_Static_assert(sizeof preface - 1 == PREFACE_SIZE, "the preface of RFC 9113, 3.4");

#define TLS_HANDSHAKE 0x16

static const struct closing http1 = {
    CLOSING_HTTP1, "this is an HTTP/1 request; this listener speaks gRPC over HTTP/2"};
static const struct closing tls = {CLOSING_TLS,
                                   "this is a TLS handshake; this listener speaks plain HTTP/2"};
static const struct closing proxy = {
    CLOSING_PROXY, "this is a header of the PROXY protocol; this listener speaks plain HTTP/2, so "
                   "the proxy must not send one"};
static const struct closing other = {
    CLOSING_NOT_HTTP2, "this is not HTTP/2; this listener speaks gRPC over plain HTTP/2"};
static const struct closing undecided = {CLOSING_NONE, NULL};

/* True if the shorter one is a prefix of the other. */
static bool preface_matches(struct slice bytes, struct slice with)
{
    size_t len = bytes.len < with.len ? bytes.len : with.len;
    return memcmp(bytes.data, with.data, len) == 0;
}

/* The number of leading capital letters. */
static size_t preface_method_length(struct slice bytes)
{
    size_t len = 0;
    while (len < bytes.len && bytes.data[len] >= 'A' && bytes.data[len] <= 'Z')
        len++;
    return len;
}

/* The target of an HTTP/1 request is a path, "*", a URL or a host. */
static bool preface_is_target(uint8_t first)
{
    return first == '/' || first == '*' || (first >= 'a' && first <= 'z');
}

/* Classifies bytes that differ from the preface. */
static struct closing preface_classify_foreign(struct slice bytes)
{
    const struct slice signature = slice_make(proxy_2, sizeof proxy_2 - 1);
    if (bytes.data[0] == TLS_HANDSHAKE)
        return tls;
    if (preface_matches(bytes, signature))
        return bytes.len >= signature.len ? proxy : undecided;
    size_t method = preface_method_length(bytes);
    if (method == bytes.len && bytes.len < PREFACE_SIZE)
        return undecided;
    if (method == 0 || method == bytes.len || bytes.data[method] != ' ')
        return other;
    if (slice_starts_with(bytes, SLICE_LITERAL("PROXY ")))
        return proxy;
    if (method + 1 == bytes.len)
        return bytes.len < PREFACE_SIZE ? undecided : other;
    return preface_is_target(bytes.data[method + 1]) &&
                   !slice_starts_with(bytes, SLICE_LITERAL("PRI "))
               ? http1
               : other;
}

struct closing preface_classify(struct slice bytes)
{
    return preface_matches(bytes, slice_make(preface, PREFACE_SIZE))
               ? undecided
               : preface_classify_foreign(bytes);
}

struct slice preface_http1_answer(void)
{
    return SLICE_LITERAL("HTTP/1.1 505 HTTP Version Not Supported\r\n"
                         "Content-Type: text/plain; charset=utf-8\r\n"
                         "Content-Length: 149\r\n"
                         "Connection: close\r\n"
                         "\r\n"
                         "This port speaks gRPC over HTTP/2 without TLS, not HTTP/1.\n"
                         "Use keystore-cli or a gRPC client; plain HTTP/2 is curl's "
                         "--http2-prior-knowledge option.\n");
}
