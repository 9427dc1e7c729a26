/*
 * Calls with a stream of messages in either direction: a method is one struct of callbacks, which
 * get the call. The call's user pointer (grpc_call_set_user()) is the method's own.
 *
 * Invariants:
 *  1. A call begins with on_open. It ends once: with grpc_stream_end(), or with on_cancel. No
 *     callback comes after that.
 *  2. Replies are pulled: on_room is asked when the caller takes more, so that about a page
 *     (HTTP2_REPLY_PAGE) waits in the call, however much there is to say.
 *  3. Replies that wait because the caller does not open the stream's window end the call in time
 *     (grpc_limits.write_timeout_ms), with on_cancel; a call without replies is never slow.
 *  4. Requests are held back by flow control while the method says so (grpc_stream_hold()); then at
 *     most the stream's window arrives.
 */
#ifndef KEYSTORE_GRPC_STREAM_H
#define KEYSTORE_GRPC_STREAM_H

#include "base/slice.h"

#include <stdbool.h>

struct chain;
struct grpc_call;
struct grpc_status;

/* `user` is the service's. */
struct grpc_stream_method {
    /* The call has begun; its first message may follow. May end it. */
    void (*on_open)(void *user, struct grpc_call *call);
    /* A message of the caller, valid until this returns. May end the call. */
    void (*on_message)(void *user, struct grpc_call *call, struct slice message);
    /* The caller sends no more. May end the call. */
    void (*on_half_close)(void *user, struct grpc_call *call);
    /*
     * There is room for about `room` bytes of replies, after grpc_stream_ready() or when the
     * former ones are sent: writes some with grpc_stream_write(). If it writes none, it is asked
     * again after grpc_stream_ready(). May end the call.
     */
    void (*on_room)(void *user, struct grpc_call *call, size_t room);
    /* The server is shutting down: end the call as soon as it is in order. Called once. */
    void (*on_drain)(void *user, struct grpc_call *call);
    /* The caller is gone, or its deadline has passed: the call must not be used after this. */
    void (*on_cancel)(void *user, struct grpc_call *call);
    /* What the principal may do has changed, or it is another: false if it may not make this call
     * any longer. NULL: then the call does nothing that depends on it, or asks each time. */
    bool (*may_go_on)(void *user, struct grpc_call *call);
    /* The call is about to end with that error, which is not the method's, and its caller gets all
     * that was written: may set the further trailer, whose value is valid until the next call of
     * this. NULL: it has nothing to add. */
    void (*on_failure)(void *user, struct grpc_call *call, struct grpc_status *status);
};

/* Sends the headers of the reply, if they are not sent: so the caller knows that the call is in
 * effect. */
void grpc_stream_begin(struct grpc_call *call);

/* There are replies to write. */
void grpc_stream_ready(struct grpc_call *call);

/* A reply of `size` bytes, which the caller appends to the chain. Within on_room only. */
struct chain *grpc_stream_write(struct grpc_call *call, size_t size);

/* Ends the call after what was written, with an error or, if that is NULL, successfully. The call
 * must not be used after this, except by the callback that this is called in. */
void grpc_stream_end(struct grpc_call *call, const struct grpc_status *status);

/* While held, the caller's messages stop within the stream's window. */
void grpc_stream_hold(struct grpc_call *call, bool hold);

#endif
