/* Messages against the public answer structs, field by field; and bytes that were damaged. */
#include "client/replies.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "every_field.h"
#include "sample_replies.h"
#include "store/seeded.h"

#define DAMAGED_ANSWERS 30000

static struct pool pool;
static struct buf packed;

static int set_up(void **state)
{
    (void)state;
    pool_init(&pool);
    buf_init(&packed, 100000);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pool_deinit(&pool);
    buf_deinit(&packed);
    return 0;
}

static struct slice wire_of(const ProtobufCMessage *message)
{
    packed.len = 0;
    uint8_t *end = buf_reserve(&packed, protobuf_c_message_get_packed_size(message));
    assert_non_null(end);
    packed.len = protobuf_c_message_pack(message, end);
    return buf_slice(&packed);
}

static Keystore__V1__ClientsPage__Client wire_some_client = {
    WIRE(clients_page__client),
    .id = 1,
    .address = "a",
    .listener = "b",
    .age_ms = 2,
    .idle_ms = 3,
    .calls = 4,
    .streams = 5,
    .calls_so_far = 6,
    .bytes_in = 7,
    .bytes_out = 8,
    .queued_bytes = 9,
    .user_agent = "c",
    .own = true,
};
static Keystore__V1__ClientsPage__Client *wire_some_clients[] = {&wire_some_client};
static Keystore__V1__ClientsPage wire_clients_page = {
    WIRE(clients_page),
    .n_clients = 1,
    .clients = wire_some_clients,
};

static inline void got_clients_page(const struct keystore_clients_page *page)
{
    assert_int_equal(page->count, 1);
    const struct keystore_client_info *client = page->clients;
    assert_every_field(&wire_some_client.base, NULL);
    assert_int_equal(client->id + 10 * (uint64_t)client->age_ms, 21);
    assert_int_equal(client->idle_ms + 10 * client->calls + 100 * client->streams, 543);
    assert_int_equal(client->calls_so_far + 10 * client->bytes_in, 76);
    assert_int_equal(client->bytes_out + 10 * client->queued_bytes, 98);
    assert_string_equal(client->address, "a");
    assert_string_equal(client->listener, "b");
    assert_string_equal(client->user_agent, "c");
    assert_true(client->own);
}

static inline void empty_clients_page(const struct keystore_clients_page *page)
{
    assert_int_equal(page->count, 0);
}

/* Each kind of answer. */
#define REPLIES(REPLY)                                                                             \
    REPLY(status)                                                                                  \
    REPLY(value)                                                                                   \
    REPLY(list_values)                                                                             \
    REPLY(values)                                                                                  \
    REPLY(number)                                                                                  \
    REPLY(key)                                                                                     \
    REPLY(key_info)                                                                                \
    REPLY(popped)                                                                                  \
    REPLY(positions)                                                                               \
    REPLY(bit_fields)                                                                              \
    REPLY(lcs_reply)                                                                               \
    REPLY(info_reply)                                                                              \
    REPLY(health_reply)                                                                            \
    REPLY(authenticate_reply)                                                                      \
    REPLY(identity)                                                                                \
    REPLY(config_reply)                                                                            \
    REPLY(slow_log_reply)                                                                          \
    REPLY(latency_reply)                                                                           \
    REPLY(clients_page)                                                                            \
    REPLY(txn_reply)

/* The message's bytes are gone before the answer is looked at: that has copies. */
#define UNPACKS(name)                                                                              \
    static void unpacks_##name(void **state)                                                       \
    {                                                                                              \
        (void)state;                                                                               \
        struct keystore_##name answer;                                                             \
        assert_every_field(&wire_##name.base, NULL);                                               \
        assert_true(replies_##name(wire_of(&wire_##name.base), &pool, &answer));                   \
        memset(packed.data, 0x55, packed.len);                                                     \
        got_##name(&answer);                                                                       \
    }

REPLIES(UNPACKS)

/* An answer without a byte has all its fields zero. */
#define UNPACKS_EMPTY(name)                                                                        \
    {                                                                                              \
        struct keystore_##name answer;                                                             \
        memset(&answer, 0xff, sizeof answer);                                                      \
        assert_true(replies_##name(slice_make("", 0), &pool, &answer));                            \
        empty_##name(&answer);                                                                     \
    }

static void unpacks_empty_messages(void **state)
{
    (void)state;
    REPLIES(UNPACKS_EMPTY)
}

static struct keystore_op_error unpack_error(int32_t code, int reason)
{
    Keystore__V1__OpError error = {WIRE(op_error), .code = code, .message = (char *)""};
    error.reason = (Keystore__V1__ErrorReason)reason;
    Keystore__V1__Reply reply = WIRE_REPLY(1, ERROR, error, &error);
    Keystore__V1__TxnReply txn = {WIRE(txn_reply), .n_replies = 1,
                                  .replies = (Keystore__V1__Reply *[]){&reply}};
    struct keystore_txn_reply answer;
    assert_true(replies_txn_reply(wire_of(&txn.base), &pool, &answer));
    assert_int_equal(answer.replies[0].kind, KEYSTORE_REPLY_ERROR);
    return answer.replies[0].answer.error;
}

static void errors_of_operations(void **state)
{
    (void)state;
    assert_int_equal(unpack_error(16, 0).code, KEYSTORE_UNAUTHENTICATED);
    assert_int_equal(unpack_error(17, 0).code, KEYSTORE_UNKNOWN);
    assert_int_equal(unpack_error(-1, 0).code, KEYSTORE_UNKNOWN);
    assert_int_equal(unpack_error(0, 0).code, KEYSTORE_UNKNOWN); /* an error is never OK */
    assert_string_equal(unpack_error(9, 0).reason, "");
    assert_string_equal(unpack_error(9, 2).reason, "ERROR_REASON_NOT_A_NUMBER");
    assert_string_equal(unpack_error(9, 9999).reason, "");
    assert_string_equal(unpack_error(9, 0).message, "");
}

static void enumerations(void **state)
{
    (void)state;
    assert_int_equal(KEYSTORE_TYPE_STRING, KEYSTORE__V1__VALUE_TYPE__VALUE_TYPE_STRING);
    assert_int_equal(KEYSTORE_TYPE_LIST, KEYSTORE__V1__VALUE_TYPE__VALUE_TYPE_LIST);
}

/* Of every field that message Reply has, besides its id, the samples have one. */
static void every_kind_of_reply_is_known(void **state)
{
    (void)state;
    size_t samples = sizeof wire_each_reply / sizeof *wire_each_reply;
    assert_int_equal(samples - 1, keystore__v1__reply__descriptor.n_fields - 1);
}

/* A reply with a field that only a later version knows. */
static void an_unknown_reply_is_none(void **state)
{
    (void)state;
    struct keystore_txn_reply answer;
    struct slice bytes = SLICE_LITERAL("\x12\x06\x08\x07\xa2\x06\x01z");
    assert_true(replies_txn_reply(bytes, &pool, &answer));
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.replies[0].kind, KEYSTORE_REPLY_NONE);
    assert_int_equal(answer.replies[0].id, 7);
}

#define REFUSES(name)                                                                              \
    {                                                                                              \
        struct keystore_##name answer, before;                                                     \
        memset(&answer, 0x33, sizeof answer);                                                      \
        memcpy(&before, &answer, sizeof answer);                                                   \
        assert_false(replies_##name(SLICE_LITERAL("\x0a\xff\xff"), &pool, &answer));               \
        assert_memory_equal(&answer, &before, sizeof answer);                                      \
    }

static void garbage_is_no_message(void **state)
{
    (void)state;
    REPLIES(REFUSES)
}

/* What follows reads every byte that an answer gives access to, for the sanitizers to judge. */
static uint64_t seen_bytes;

static void read_slice(struct keystore_slice slice)
{
    for (size_t i = 0; i < slice.len; i++)
        seen_bytes += ((const uint8_t *)slice.data)[i];
}

static void read_slices(const struct keystore_slice *slices, size_t count)
{
    for (size_t i = 0; i < count; i++)
        read_slice(slices[i]);
}

static void read_value(const struct keystore_value *value)
{
    read_slice(value->value);
}

static void read_status(const struct keystore_status *status)
{
    read_value(&status->previous);
}

static void read_list_values(const struct keystore_list *list)
{
    read_slices(list->values, list->count);
}

static void read_values(const struct keystore_values *values)
{
    for (size_t i = 0; i < values->count; i++)
        read_value(&values->values[i]);
}

static void read_number(const struct keystore_number *number)
{
    seen_bytes += (uint64_t)number->integer;
}

static void read_key(const struct keystore_key *key)
{
    read_slice(key->key);
}

static void read_key_info(const struct keystore_key_info *info)
{
    seen_bytes += (uint64_t)info->length;
}

static void read_popped(const struct keystore_popped *popped)
{
    read_slice(popped->key);
    read_slices(popped->values, popped->count);
}

static void read_positions(const struct keystore_positions *positions)
{
    for (size_t i = 0; i < positions->count; i++)
        seen_bytes += (uint64_t)positions->indexes[i];
}

static void read_bit_fields(const struct keystore_bit_fields *fields)
{
    for (size_t i = 0; i < fields->count; i++)
        seen_bytes += (uint64_t)fields->items[i].value + fields->items[i].done;
}

static void read_lcs_reply(const struct keystore_lcs_reply *lcs)
{
    seen_bytes += (uint64_t)lcs->length + lcs->value.len;
    for (size_t i = 0; i < lcs->count; i++)
        seen_bytes += (uint64_t)lcs->matches[i].start + (uint64_t)lcs->matches[i].other_start +
                      (uint64_t)lcs->matches[i].length;
}

static void read_info_reply(const struct keystore_info_reply *info)
{
    for (size_t i = 0; i < info->count; i++)
        seen_bytes += strlen(info->fields[i].name) + strlen(info->fields[i].value);
}

static void read_authenticate_reply(const struct keystore_authenticate_reply *reply)
{
    seen_bytes += strlen(reply->token) + strlen(reply->user) + (uint64_t)reply->expires_at_ms;
}

static void read_identity(const struct keystore_identity *identity)
{
    seen_bytes += strlen(identity->user) + strlen(identity->id) + (uint64_t)identity->means;
    for (size_t i = 0; i < identity->count; i++)
        seen_bytes += strlen(identity->rules[i]);
}

static void read_health_reply(const struct keystore_health_reply *health)
{
    seen_bytes += (uint64_t)health->status;
}

static void read_config_reply(const struct keystore_config_reply *config)
{
    for (size_t i = 0; i < config->count; i++)
        seen_bytes += strlen(config->settings[i].name) + strlen(config->settings[i].value) +
                      strlen(config->settings[i].accepts) + strlen(config->settings[i].help);
}

static void read_slow_log_reply(const struct keystore_slow_log_reply *log)
{
    for (size_t i = 0; i < log->count; i++)
        seen_bytes += strlen(log->calls[i].method) + strlen(log->calls[i].peer) +
                      strlen(log->calls[i].trace_id) + log->calls[i].key.len +
                      log->calls[i].request_id.len;
}

static void read_numbers(const uint64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        seen_bytes += numbers[i];
}

static void read_latency_reply(const struct keystore_latency_reply *latency)
{
    read_numbers(latency->bounds_us, latency->bound_count);
    for (size_t i = 0; i < latency->count; i++) {
        seen_bytes += strlen(latency->methods[i].service) + strlen(latency->methods[i].method);
        read_numbers(latency->methods[i].buckets, latency->methods[i].bucket_count);
        read_numbers(latency->methods[i].codes, latency->methods[i].code_count);
    }
}

static void read_clients_page(const struct keystore_clients_page *page)
{
    for (size_t i = 0; i < page->count; i++)
        seen_bytes += strlen(page->clients[i].address) + strlen(page->clients[i].listener) +
                      strlen(page->clients[i].user_agent);
}

static void read_error(const struct keystore_op_error *error)
{
    assert_true(error->code > KEYSTORE_OK && error->code <= KEYSTORE_UNAUTHENTICATED);
    seen_bytes += strlen(error->reason) + strlen(error->message);
}

static void read_reply(const struct keystore_reply *reply)
{
    switch (reply->kind) {
    case KEYSTORE_REPLY_STATUS:
        return read_status(&reply->answer.status);
    case KEYSTORE_REPLY_VALUE:
        return read_value(&reply->answer.value);
    case KEYSTORE_REPLY_LIST:
        return read_list_values(&reply->answer.list);
    case KEYSTORE_REPLY_NUMBER:
        return read_number(&reply->answer.number);
    case KEYSTORE_REPLY_ERROR:
        return read_error(&reply->answer.error);
    case KEYSTORE_REPLY_VALUES:
        return read_values(&reply->answer.values);
    case KEYSTORE_REPLY_INFO:
        return read_key_info(&reply->answer.info);
    case KEYSTORE_REPLY_POPPED:
        return read_popped(&reply->answer.popped);
    case KEYSTORE_REPLY_POSITIONS:
        return read_positions(&reply->answer.positions);
    case KEYSTORE_REPLY_BIT_FIELDS:
        return read_bit_fields(&reply->answer.bit_fields);
    case KEYSTORE_REPLY_LCS:
        return read_lcs_reply(&reply->answer.lcs);
    case KEYSTORE_REPLY_NONE:
        return;
    }
    fail_msg("a reply of kind %d", (int)reply->kind);
}

static void read_txn_reply(const struct keystore_txn_reply *txn)
{
    for (size_t i = 0; i < txn->count; i++)
        read_reply(&txn->replies[i]);
}

/* Decodes bytes that lie in memory of just their size; returns whether they were a message. */
#define DECODES(name)                                                                              \
    static bool decodes_##name(struct slice bytes)                                                 \
    {                                                                                              \
        struct keystore_##name answer;                                                             \
        bool good = replies_##name(bytes, &pool, &answer);                                         \
        if (good)                                                                                  \
            read_##name(&answer);                                                                  \
        return good;                                                                               \
    }

REPLIES(DECODES)

#define DECODER(name) {&wire_##name.base, decodes_##name},

static const struct {
    const ProtobufCMessage *sample;
    bool (*decodes)(struct slice bytes);
} decoders[] = {REPLIES(DECODER)};

/* A byte that means much in a message: a small length or tag, the edge of a varint, or any. */
static uint8_t a_byte(uint64_t *random)
{
    static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0xff, 0x0a, 0x12, 0x22};
    uint32_t choice = seeded_below(random, 2 * sizeof edges);
    return choice < sizeof edges ? edges[choice] : (uint8_t)seeded_below(random, 256);
}

/* Changes, drops or repeats some bytes of `packed`. */
static void damage(uint64_t *random)
{
    uint32_t len = (uint32_t)packed.len;
    uint32_t from = seeded_below(random, len);
    uint32_t count = 1 + seeded_below(random, len - from);
    uint8_t copy[1000];
    switch (seeded_below(random, 5)) {
    case 0: /* cut off */
        packed.len = from;
        return;
    case 1: /* a hole */
        memmove(packed.data + from, packed.data + from + count, len - from - count);
        packed.len -= count;
        return;
    case 2: /* some bytes twice, the second time at the end */
        assert_true(count <= sizeof copy);
        memcpy(copy, packed.data + from, count);
        assert_true(buf_append(&packed, slice_make(copy, count)));
        return;
    case 3: /* other bits */
        packed.data[from] ^= (uint8_t)(1u << seeded_below(random, 8));
        return;
    default: /* other bytes */
        for (uint32_t i = 0; i < count && i < 4; i++)
            packed.data[from + i] = a_byte(random);
    }
}

/* Damaged answers are refused or decoded into something harmless; some are, some are not. */
static void damaged_answers(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    size_t good = 0;
    for (size_t i = 0; i < DAMAGED_ANSWERS; i++) {
        size_t which = seeded_below(&random, sizeof decoders / sizeof *decoders);
        (void)wire_of(decoders[which].sample);
        for (uint32_t times = 1 + seeded_below(&random, 3); times > 0 && packed.len > 0; times--)
            damage(&random);
        uint8_t *exact = malloc(packed.len > 0 ? packed.len : 1);
        assert_non_null(exact);
        memcpy(exact, packed.data, packed.len);
        good += decoders[which].decodes(slice_make(exact, packed.len));
        free(exact);
        pool_reset(&pool);
    }
    print_message("%zu of %d decoded\n", good, DAMAGED_ANSWERS);
    assert_in_range(good, DAMAGED_ANSWERS / 50, DAMAGED_ANSWERS - DAMAGED_ANSWERS / 50);
}

/* As damaged as can be: every message of every kind of answer. */
static void answers_of_another_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof decoders / sizeof *decoders; i++)
        for (size_t j = 0; j < sizeof decoders / sizeof *decoders; j++) {
            bool good = decoders[i].decodes(wire_of(decoders[j].sample));
            assert_true(good || i != j);
        }
}

#define TEST(name)   cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define LISTED(name) TEST(unpacks_##name),

int main(void)
{
    const struct CMUnitTest tests[] = {
        REPLIES(LISTED) /* one each */
        TEST(unpacks_empty_messages),
        TEST(errors_of_operations),
        TEST(enumerations),
        TEST(every_kind_of_reply_is_known),
        TEST(an_unknown_reply_is_none),
        TEST(garbage_is_no_message),
        TEST(damaged_answers),
        TEST(answers_of_another_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
