/*
 * Receipts: what the server remembers of writes that came with a request id, so that a client which
 * has not seen the reply can repeat the call: the write is carried out once, and each call of the
 * id gets its reply.
 *
 * An id is absent, claimed by the one call that carries the write out, or kept with its reply:
 *
 *   absent -> claimed  receipts_claim() answers RECEIPTS_NEW
 *   claimed -> kept    receipts_keep(): the write has succeeded
 *   claimed -> absent  receipts_release(): nothing took effect; the next call carries it out
 *   kept -> absent     it is too old, or there are too many: the oldest one goes first
 *
 * Invariants:
 * 1. An id has at most one claim, so the calls of an id are carried out one after the other, and
 *    none after one that has succeeded.
 * 2. The receipt of a commit is kept before the commit ends, under the locks of its keys (struct
 *    op_receipt of store/op.h). So a reader that sees the effect, also a snapshot, finds it.
 * 3. That receipt is part of the commit's record in the log. So after a crash there are both or
 *    neither. A snapshot as of a revision comes with the receipts up to that revision.
 * 4. A write that succeeded without a commit, because there was nothing to change, is kept in
 *    memory only: a call of the same id that was delayed on the way does not change anything later.
 *    After a crash it is carried out anew, which is right as nothing had taken effect.
 * 5. Claims are not forgotten; there are as many as calls in flight. What is kept takes at most
 *    `most_bytes` and `most_count`.
 *
 * A reply may be shown when its revision is durable; that is up to the caller. All functions may be
 * called on any thread; no lock is held between them.
 */
#ifndef KEYSTORE_STORE_RECEIPTS_H
#define KEYSTORE_STORE_RECEIPTS_H

#include "base/buf.h"
#include "base/waker.h"

/* Bytes of the longest id, and of the longest reply that is kept; of a longer one it is only known
 * that the write succeeded. */
#define RECEIPTS_MOST_ID    64
#define RECEIPTS_MOST_REPLY ((size_t)64 * 1024)

#define RECEIPTS_DEFAULT_COUNT  100000
#define RECEIPTS_DEFAULT_BYTES  ((size_t)64 * 1024 * 1024)
#define RECEIPTS_DEFAULT_AGE_MS INT64_C(600000)

/* Tells a repeated request from another one with the same id: a hash of the request. */
struct receipts_print {
    uint64_t high, low;
};

struct receipts_options {
    size_t most_count; /* at least 1 */
    size_t most_bytes; /* memory of what is kept */
    int64_t age_ms;    /* after the write; then it is forgotten */
};

struct receipt;
struct receipts;
struct receipts_shard;

/* Free with receipts_free(), when there are no claims any longer; NULL is allowed there. */
struct receipts *receipts_new(const struct receipts_options *options);
void receipts_free(struct receipts *receipts);

/* One who waits for the end of another call's claim. All zero but `waker` does not wait. */
struct receipts_waiter {
    struct waker waker;           /* woken, on any thread, when the claim has ended */
    struct receipts_shard *shard; /* the rest is private */
    struct receipt *receipt;
    struct receipts_waiter *previous, *next;
};

struct receipts_claim {
    /* The call. */
    struct slice id;
    struct receipts_print print;
    int64_t now_ms; /* Unix time */
    struct receipts_waiter *waiter;
    /* RECEIPTS_NEW: to be passed to receipts_keep() or receipts_release(). */
    struct receipt *receipt;
    /* RECEIPTS_REPEATED. */
    uint64_t revision; /* the reply may be shown when this is durable */
    bool has_reply;    /* false: it was too long */
    struct buf reply;  /* the message is appended here; of the caller */
};

enum receipts_answer {
    RECEIPTS_NEW,      /* the caller is to carry the write out */
    RECEIPTS_REPEATED, /* that has been done */
    RECEIPTS_BUSY,     /* another call has the claim. The waiter waits */
    RECEIPTS_OTHER,    /* the id belongs to another request */
};

enum receipts_answer receipts_claim(struct receipts *receipts, struct receipts_claim *claim);

/* Ends the wait, if it has not ended by itself. */
void receipts_leave(struct receipts_waiter *waiter);

/*
 * The write has succeeded, at that Unix time, which may be long after the claim, with that reply;
 * NULL if it is longer than RECEIPTS_MOST_REPLY.
 * `revision` is the newest that the reply shows. With `record` (borrowed, may be NULL), the write
 * has that as the revision of its commit, and the bytes for its log record are appended there:
 * those that receipts_restore() reads. Ends the claim; the receipt must not be used afterwards.
 */
void receipts_keep(struct receipts *receipts, struct receipt *receipt, int64_t now_ms,
                   uint64_t revision, const struct slice *reply, struct buf *record);

/* Nothing took effect. Ends the claim; the receipt must not be used afterwards. */
void receipts_release(struct receipts *receipts, struct receipt *receipt);

/* Restores a receipt, whose commit has that revision, in place of a former one of the id, before
 * the first call. False, with nothing done, if the bytes are not in this format. */
bool receipts_restore(struct receipts *receipts, struct slice record, uint64_t revision);

/*
 * Calls `save` with the bytes of each receipt that belongs to a commit up to `revision`, the oldest
 * of a shard first, in slices of time: what is forgotten meanwhile may be left out. Ends early when
 * `save` returns false.
 */
void receipts_save(struct receipts *receipts, uint64_t revision,
                   bool (*save)(void *user, struct slice record), void *user);

/* Forgets what has become too old, for some microseconds at most. */
void receipts_expire(struct receipts *receipts, int64_t now_ms);

struct receipts_stats {
    uint64_t kept, bytes; /* now */
    uint64_t repeated;    /* calls that were answered with an earlier reply */
    uint64_t dropped;     /* receipts forgotten before their time, because of the limits */
};
struct receipts_stats receipts_stats(struct receipts *receipts);

/* True if the bytes are a receipt that this version can read. */
bool receipts_is_valid(struct slice record);

#endif
