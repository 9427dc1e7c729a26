/* The state of a connection, and what the connections of a loop share; private to net. */
#ifndef KEYSTORE_NET_CONNECTION_STATE_H
#define KEYSTORE_NET_CONNECTION_STATE_H

#include "base/chain.h"
#include "net/admission.h"
#include "net/protocol.h"

#include <uv.h>

/* The most bytes per read. */
#define READ_CHUNK ((size_t)256 * 1024)

struct acceptor;
struct net_visit;
struct tls_session;

/* What the connections of a loop share. */
struct net_shared {
    uv_loop_t uv;
    const struct net_protocol *protocol;
    struct net_admission *admission;
    struct net_limits limits;
    struct acceptor *acceptors;
    bool accepting_paused;                               /* an acceptor waits for descriptors; */
    void (*resume_accepting)(struct net_shared *shared); /* makes it try again */
    struct net_connection *first;                        /* of the open connections */
    struct net_visit *visits;                            /* net/visit.h */
    uv_handle_t *anchor; /* keeps the loop alive while connections are open: one that neither reads
                            nor writes, waiting for an answer, does not */
    size_t queued_total; /* pending output in the protocols, in bytes */
    struct chain output; /* filled and written within one callback */
    bool feeding;        /* a connection is being fed: `output` belongs to it */
    bool gathering;      /* on_wake() is running: connections with output are collected in
                            `waiting` */
    struct net_connection *waiting;
    struct chain records; /* of TLS: `output` encrypted; empty between two writes */
    uint8_t *plain;       /* READ_CHUNK bytes, `input` decrypted; NULL before there is TLS */
    uint8_t input[READ_CHUNK];
};

struct net_connection {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct net_shared *shared;
    struct net_connection *next;
    struct net_connection *previous;
    void *session;
    struct tls_session *tls; /* NULL: plaintext */
    struct net_peer peer;
    enum net_purpose purpose;
    uint64_t id;
    int64_t opened_ms;
    struct chain unsent; /* the output that uv_write() is writing, from `sent` on */
    struct chain_cursor sent;
    size_t write_size;      /* bytes of the write in progress */
    int64_t write_moved_ms; /* when it started or last made progress */
    int64_t acked;          /* bytes that the peer had acknowledged at the last check */
    uint64_t output_total;  /* bytes output by the protocol, as records with TLS */
    uint64_t written;       /* of them, those of completed writes */
    bool may_be_unacked;    /* the peer may not have acknowledged all that was written */
    struct {
        int64_t start_ms;
        int64_t acked;    /* at the start of the period, like the following: */
        uint64_t sent;    /* bytes of answers output by the protocol */
        size_t in_flight; /* bytes output and not acknowledged */
        size_t queued;    /* bytes of output queued in the protocol */
    } period;             /* in which the peer must take part of its answers */
    int64_t linger_start_ms;
    size_t discarded;         /* bytes of input, while lingering */
    size_t queued;            /* the connection's part of queued_total */
    bool closing_is_reported; /* the reason for closing has been counted and logged */
    uv_write_t write;
    bool writing;
    bool reading;
    bool ending;              /* nothing more is fed: closed once pending output is written */
    bool hung_up;             /* the peer has shut down its side */
    bool lingering;           /* we have shut down ours */
    bool waiting;             /* in net_shared.waiting */
    bool last_read_was_large; /* so the protocol is asked where it wants the next one */
    size_t placed;            /* bytes just read to where the protocol wanted them */
    struct net_connection *next_waiting;
};

/* visit.c: a visit begins; a connection is about to leave the list, so visits go on to the next. */
void visit_begin(struct net_shared *shared, struct net_visit *visit);
void visit_on_close(const struct net_connection *connection);

static inline int64_t connection_now_of(const struct net_connection *connection)
{
    return (int64_t)uv_now(&connection->shared->uv);
}

#endif
