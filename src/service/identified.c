/* Claims request ids, and keeps replies. Knows no operation. */
#include "service/identified.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "grpc/metadata.h"
#include "service/request.h"
#include "service/streams/consume.h"
#include "service/streams/pipeline.h"
#include "store/receipts.h"

#include <stdlib.h>
#include <xxhash.h>

struct identified {
    struct op_receipt receipt; /* first: identified_keep() finds it by this */
    struct receipts *receipts;
    const struct method *method;
    struct receipts_claim claim;
    struct receipts_waiter waiter;
    struct buf record; /* of the receipt, for the log */
    bool has_print;
    uint8_t id[GRPC_MAX_REQUEST_ID];
};

_Static_assert(GRPC_MAX_REQUEST_ID <= RECEIPTS_MOST_ID, "every id has a place");

static bool identified_is_write(const struct method *method)
{
    return method->type == METHOD_OP && op_info(method->kind)->access != OP_READ;
}

const char *identified_refuses(const struct engine *engine, const struct method *method,
                               const struct grpc_metadata *metadata)
{
    if (metadata->request_id_size == 0)
        return NULL;
    if (method->stream == &pipeline_method || method->stream == &consume_method ||
        method->type == METHOD_PUBLISH)
        return "keystore-request-id is not served for Pipeline, Consume and Publish: a repeated "
               "call would not be recognized; use unary calls or a Txn, or send none";
    if (engine->receipts == NULL && identified_is_write(method))
        return "request ids are turned off (--request-ids 0), so a repeated write would be carried "
               "out again; send the call without keystore-request-id";
    return NULL;
}

/* The whole reply; false if it is too long to be kept. */
static bool identified_encode(const struct encoder *encoder, const struct op_result *result,
                              struct buf *out)
{
    struct chain chain = {0};
    struct chain_cursor cursor = {0};
    struct iovec pieces[16];
    size_t count;
    if (encoder->size(result) > RECEIPTS_MOST_REPLY)
        return false;
    encoder->write(result, &chain);
    while ((count = chain_pieces(&chain, cursor, pieces, 16)) > 0) {
        for (size_t i = 0; i < count; i++) {
            bool fits = buf_append(out, slice_make(pieces[i].iov_base, pieces[i].iov_len));
            CHECK(fits);
            chain_skip(&chain, &cursor, pieces[i].iov_len);
        }
    }
    chain_deinit(&chain);
    return true;
}

static void identified_end_claim(struct identified *identified, const struct op_result *result,
                                 uint64_t revision, struct buf *record)
{
    struct buf encoded;
    buf_init(&encoded, RECEIPTS_MOST_REPLY);
    bool fits = identified_encode(identified->method->encoder, result, &encoded);
    struct slice reply = buf_slice(&encoded);
    receipts_keep(identified->receipts, identified->claim.receipt, clock_unix_ms(), revision,
                  fits ? &reply : NULL, record);
    identified->claim.receipt = NULL;
    buf_deinit(&encoded);
}

/* The op_receipt's keep(). */
static struct slice identified_keep(struct op_receipt *receipt, const struct op_result *result,
                                    uint64_t revision)
{
    struct identified *identified = (struct identified *)receipt;
    identified_end_claim(identified, result, revision, &identified->record);
    return buf_slice(&identified->record);
}

bool identified_init(struct request *request, const struct grpc_metadata *metadata)
{
    if (metadata->request_id_size == 0 || !identified_is_write(request->method))
        return false;
    struct identified *identified = mem_alloc_zero(sizeof *identified);
    identified->receipt.keep = identified_keep;
    identified->receipts = request->service->options.engine->receipts;
    identified->method = request->method;
    identified->waiter.waker = request->service->host.waker;
    memcpy(identified->id, metadata->request_id, metadata->request_id_size);
    identified->claim.id = slice_make(identified->id, metadata->request_id_size);
    identified->claim.waiter = &identified->waiter;
    buf_init(&identified->claim.reply, RECEIPTS_MOST_REPLY);
    buf_init(&identified->record, SIZE_MAX / 4);
    request->identified = identified;
    return true;
}

void identified_free(struct identified *identified)
{
    if (identified == NULL)
        return;
    receipts_leave(&identified->waiter);
    if (identified->claim.receipt != NULL)
        receipts_release(identified->receipts, identified->claim.receipt);
    buf_deinit(&identified->claim.reply);
    buf_deinit(&identified->record);
    free(identified);
}

/* Of the method's name and the message, byte for byte; the same in every version of the server. */
static struct receipts_print identified_print(const struct method *method, struct slice message)
{
    uint64_t seed = XXH3_64bits(method->name.data, method->name.len);
    XXH128_hash_t hash = XXH3_128bits_withSeed(message.data, message.len, seed);
    return (struct receipts_print){.high = hash.high64, .low = hash.low64};
}

static enum identified_answer identified_refuse(struct request *request, enum err err,
                                                const char *why)
{
    request->task.result.err = err;
    request->task.result.why = why;
    return IDENTIFIED_ANSWERED;
}

static enum identified_answer identified_repeat(struct request *request)
{
    struct receipts_claim *claim = &request->identified->claim;
    request->task.result = (struct op_result){.seen = claim->revision};
    if (!claim->has_reply)
        return identified_refuse(request, ERR_ALREADY_DONE,
                                 "the write with this keystore-request-id took effect; its reply "
                                 "has more than 64 KiB and was not kept, so read what it wrote");
    grpc_reply_begin(&request->reply, claim->reply.len);
    slice_write(chain_append(&request->reply, claim->reply.len), buf_slice(&claim->reply));
    return IDENTIFIED_ANSWERED;
}

enum identified_answer identified_claim(struct request *request, struct slice message)
{
    struct identified *identified = request->identified;
    struct receipts_claim *claim = &identified->claim;
    const struct engine *engine = request->service->options.engine;
    const char *why;
    if (claim->receipt != NULL)
        return IDENTIFIED_GO;
    request->task.result = (struct op_result){0};
    enum err err = engine_may_claim(engine, &why);
    if (err != ERR_NONE)
        return identified_refuse(request, err, why);
    if (!identified->has_print)
        claim->print = identified_print(identified->method, message);
    identified->has_print = true;
    claim->now_ms = clock_unix_ms();
    switch (receipts_claim(identified->receipts, claim)) {
    case RECEIPTS_NEW:
        return IDENTIFIED_GO;
    case RECEIPTS_REPEATED:
        return identified_repeat(request);
    case RECEIPTS_BUSY:
        return IDENTIFIED_BUSY;
    case RECEIPTS_OTHER:
        break;
    }
    return identified_refuse(request, ERR_ID_REUSED,
                             "this keystore-request-id belongs to another request, of another "
                             "method or with another message; use a new id for each write, and the "
                             "same one only to repeat it unchanged");
}

void identified_end(struct request *request)
{
    struct identified *identified = request->identified;
    if (identified->claim.receipt != NULL)
        identified_end_claim(identified, &request->task.result, request->task.result.seen, NULL);
}
