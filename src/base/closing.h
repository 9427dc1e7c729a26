/*
 * Why the server closes a connection before its client does. Every layer has its own reasons; they
 * form one list, so that each is counted, logged and reported to the client in the same way
 * (net/closings.h).
 */
#ifndef KEYSTORE_BASE_CLOSING_H
#define KEYSTORE_BASE_CLOSING_H

enum closing_kind {
    CLOSING_NONE,
    CLOSING_HTTP1,             /* the client speaks HTTP/1 */
    CLOSING_TLS,               /* or TLS */
    CLOSING_PROXY,             /* or starts with a header of the PROXY protocol */
    CLOSING_NOT_HTTP2,         /* or with anything else that is not HTTP/2 */
    CLOSING_PROTOCOL_ERROR,    /* it violated HTTP/2 */
    CLOSING_FLOOD,             /* it exceeded a limit that stops floods */
    CLOSING_TOO_MANY_PINGS,    /* it sent PINGs too often */
    CLOSING_HANDSHAKE_TIMEOUT, /* it did not complete the HTTP/2 handshake in time */
    CLOSING_HEADER_TIMEOUT,    /* it did not complete a header block in time */
    CLOSING_WRITE_TIMEOUT,     /* it did not take its answers in time */
    CLOSING_KEEPALIVE_TIMEOUT, /* it was silent and did not answer a PING in time */
    CLOSING_MAX_IDLE,          /* it made no calls for long */
    CLOSING_MAX_AGE,           /* the connection was old, and the client is to make a new one */
    CLOSING_CLIENT_MEMORY,     /* clients hold too much memory, and it holds most of that */
    CLOSING_SERVER_MEMORY,     /* the system gives the server no more memory */
    CLOSING_SHUTDOWN,          /* it did not close in time when the server shut down */
    CLOSING_KILLED,            /* an administrator wanted it */
    CLOSING_TLS_FAILED,        /* TLS failed: the handshake, or a record */
    CLOSING_KINDS,
};

struct closing {
    enum closing_kind kind;
    const char *text; /* an error message that outlives the connection; mostly static memory */
};

#endif
