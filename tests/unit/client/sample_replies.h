/*
 * One answer of each kind with all its fields set, and what must be made of it: wire_X is the
 * message, got_X(answer) asserts each field of the public struct, empty_X(answer) that it is
 * zeroed. Included after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_CLIENT_SAMPLE_REPLIES_H
#define KEYSTORE_TESTS_CLIENT_SAMPLE_REPLIES_H

#include "keystore/admin.h"

#include <string.h>

#include "wire_message.h"

#include <grpc/health/v1/health.pb-c.h>

static Keystore__V1__Value wire_value = {
    WIRE(value),           .value = WIRE_BYTES("a\0c"),   .found = true,
    .version = UINT64_MAX, .expire_at_ms = 1800000000000, .as_of = 90,
};

static inline void got_value(const struct keystore_value *value)
{
    assert_slice(value->value, "a\0c");
    assert_true(value->found);
    assert_true(value->version == UINT64_MAX);
    assert_true(value->expire_at_ms == 1800000000000);
    assert_int_equal(value->as_of, 90);
}

static inline void empty_value(const struct keystore_value *value)
{
    assert_false(value->found);
    assert_true(value->value.len == 0 && value->version == 0 && value->expire_at_ms == 0);
    assert_int_equal(value->as_of, 0);
}

static Keystore__V1__Status wire_status = {
    WIRE(status), .ok = true, .count = -3, .version = 8, .previous = &wire_value,
};

static inline void got_status(const struct keystore_status *status)
{
    assert_true(status->ok);
    assert_int_equal(status->count, -3);
    assert_int_equal(status->version, 8);
    assert_true(status->has_previous);
    got_value(&status->previous);
}

static inline void empty_status(const struct keystore_status *status)
{
    assert_false(status->ok || status->has_previous || status->previous.found);
    assert_true(status->count == 0 && status->version == 0);
}

static ProtobufCBinaryData wire_slices[] = {WIRE_BYTES("a"), {0, NULL}, WIRE_BYTES("\0\xff")};

static inline void got_slices(const struct keystore_slice *slices, size_t count)
{
    assert_int_equal(count, 3);
    assert_slice(slices[0], "a");
    assert_int_equal(slices[1].len, 0);
    assert_slice(slices[2], "\0\xff");
}

static Keystore__V1__ListValues wire_list_values = {
    WIRE(list_values),   .n_values = 3, .values = wire_slices, .found = true,
    .length = INT64_MAX, .offset = 4,   .version = 6,
};

static inline void got_list_values(const struct keystore_list *list)
{
    got_slices(list->values, list->count);
    assert_true(list->found);
    assert_true(list->length == INT64_MAX);
    assert_int_equal(list->offset, 4);
    assert_int_equal(list->version, 6);
}

static inline void empty_list_values(const struct keystore_list *list)
{
    assert_false(list->found);
    assert_true(list->count == 0 && list->length == 0 && list->offset == 0 && list->version == 0);
}

static Keystore__V1__Value wire_miss = {WIRE(value)};
static Keystore__V1__Value *wire_some_values[] = {&wire_value, &wire_miss};
static Keystore__V1__Values wire_values = {
    WIRE(values),
    .n_values = 2,
    .values = wire_some_values,
};

static inline void got_values(const struct keystore_values *values)
{
    assert_int_equal(values->count, 2);
    got_value(&values->values[0]);
    assert_false(values->values[1].found);
    assert_int_equal(values->values[1].value.len, 0);
}

static inline void empty_values(const struct keystore_values *values)
{
    assert_int_equal(values->count, 0);
}

static Keystore__V1__Number wire_number = {
    WIRE(number),
    .integer = INT64_MIN,
    .real = -0.125,
    .version = 11,
    .decimal = "-0.12500000000000001",
};

static inline void got_number(const struct keystore_number *number)
{
    assert_true(number->integer == INT64_MIN);
    assert_true(number->real == -0.125);
    assert_int_equal(number->version, 11);
    assert_slice(number->decimal, "-0.12500000000000001");
}

static inline void empty_number(const struct keystore_number *number)
{
    assert_true(number->integer == 0 && number->real == 0 && number->version == 0);
    assert_int_equal(number->decimal.len, 0);
}

static Keystore__V1__Condition wire_condition = {
    WIRE(condition),
    .version = 1,
};
static Keystore__V1__Key wire_key = {
    WIRE(key), .key = WIRE_BYTES("random"), .condition = &wire_condition, .want_as_of = true,
    .db = 14,
};

static inline void got_key(const struct keystore_key *key)
{
    assert_slice(key->key, "random");
    assert_null(key->condition);
    assert_int_equal(key->db, 14);
}

static inline void empty_key(const struct keystore_key *key)
{
    assert_true(key->key.len == 0 && key->db == 0 && key->condition == NULL);
}

static Keystore__V1__KeyInfo wire_key_info = {
    WIRE(key_info),
    .found = true,
    .type = KEYSTORE__V1__VALUE_TYPE__VALUE_TYPE_LIST,
    .length = 3,
    .expire_at_ms = 1700000000000,
    .version = 12,
    .memory_bytes = 4096,
    .as_of = 13,
};

static inline void got_key_info(const struct keystore_key_info *info)
{
    assert_true(info->found);
    assert_int_equal(info->type, KEYSTORE_TYPE_LIST);
    assert_int_equal(info->length, 3);
    assert_true(info->expire_at_ms == 1700000000000);
    assert_int_equal(info->version, 12);
    assert_int_equal(info->memory_bytes, 4096);
    assert_int_equal(info->as_of, 13);
}

static inline void empty_key_info(const struct keystore_key_info *info)
{
    assert_false(info->found);
    assert_int_equal(info->type, KEYSTORE_TYPE_NONE);
    assert_true(info->length == 0 && info->expire_at_ms == 0 && info->version == 0);
    assert_int_equal(info->memory_bytes, 0);
    assert_int_equal(info->as_of, 0);
}

static Keystore__V1__Popped wire_popped = {
    WIRE(popped), .key = WIRE_BYTES("queue"), .n_values = 3, .values = wire_slices, .found = true,
};

static inline void got_popped(const struct keystore_popped *popped)
{
    assert_slice(popped->key, "queue");
    got_slices(popped->values, popped->count);
    assert_true(popped->found);
}

static inline void empty_popped(const struct keystore_popped *popped)
{
    assert_false(popped->found);
    assert_true(popped->key.len == 0 && popped->count == 0);
}

static int64_t wire_indexes[] = {0, INT64_MAX, -1};
static Keystore__V1__Positions wire_positions = {
    WIRE(positions),
    .n_indexes = 3,
    .indexes = wire_indexes,
};

static inline void got_positions(const struct keystore_positions *positions)
{
    assert_int_equal(positions->count, 3);
    assert_int_equal(positions->indexes[0], 0);
    assert_true(positions->indexes[1] == INT64_MAX);
    assert_int_equal(positions->indexes[2], -1);
}

static inline void empty_positions(const struct keystore_positions *positions)
{
    assert_int_equal(positions->count, 0);
}

static Keystore__V1__BitFields__Item wire_items[] = {
    {WIRE(bit_fields__item), .done = true, .value = INT64_MIN},
    {WIRE(bit_fields__item)},
};
static Keystore__V1__BitFields__Item *wire_some_items[] = {&wire_items[0], &wire_items[1]};
static Keystore__V1__BitFields wire_bit_fields = {
    WIRE(bit_fields),
    .n_items = 2,
    .items = wire_some_items,
    .version = 12,
};

static inline void got_bit_fields(const struct keystore_bit_fields *fields)
{
    assert_int_equal(fields->count, 2);
    assert_true(fields->items[0].done && fields->items[0].value == INT64_MIN);
    assert_true(!fields->items[1].done && fields->items[1].value == 0);
    assert_int_equal(fields->version, 12);
}

static inline void empty_bit_fields(const struct keystore_bit_fields *fields)
{
    assert_true(fields->count == 0 && fields->version == 0);
}

static Keystore__V1__LcsReply__Match wire_matches[] = {
    {WIRE(lcs_reply__match), .start = INT64_MAX, .other_start = 1, .length = 2},
    {WIRE(lcs_reply__match), .length = 1},
};
static Keystore__V1__LcsReply__Match *wire_some_matches[] = {&wire_matches[0], &wire_matches[1]};
static Keystore__V1__LcsReply wire_lcs_reply = {
    WIRE(lcs_reply),
    .length = 3,
    .value = WIRE_BYTES("abc"),
    .n_matches = 2,
    .matches = wire_some_matches,
};

static inline void got_lcs_reply(const struct keystore_lcs_reply *lcs)
{
    assert_int_equal(lcs->length, 3);
    assert_slice(lcs->value, "abc");
    assert_int_equal(lcs->count, 2);
    assert_true(lcs->matches[0].start == INT64_MAX);
    assert_int_equal(lcs->matches[0].other_start, 1);
    assert_int_equal(lcs->matches[0].length, 2);
    assert_true(lcs->matches[1].start == 0 && lcs->matches[1].other_start == 0);
    assert_int_equal(lcs->matches[1].length, 1);
}

static inline void empty_lcs_reply(const struct keystore_lcs_reply *lcs)
{
    assert_true(lcs->length == 0 && lcs->value.len == 0 && lcs->count == 0);
}

static Keystore__V1__InfoReply__FieldsEntry wire_version_field = {
    WIRE(info_reply__fields_entry),
    .key = (char *)"version",
    .value = (char *)"1.2",
};
static Keystore__V1__InfoReply__FieldsEntry wire_empty_field = {
    WIRE(info_reply__fields_entry),
    .key = (char *)"empty",
    .value = (char *)"",
};
static Keystore__V1__InfoReply__FieldsEntry *wire_fields[] = {
    &wire_version_field,
    &wire_empty_field,
};
static Keystore__V1__ConfigReply__Setting wire_setting = {
    WIRE(config_reply__setting),
    .name = "save",
    .value = "60 5",
    .origin = KEYSTORE__V1__CONFIG_REPLY__ORIGIN__ORIGIN_CHANGED,
    .accepts = "pairs",
    .changeable = true,
    .help = "when",
};
static Keystore__V1__ConfigReply__Setting *wire_settings[] = {&wire_setting};
static Keystore__V1__ConfigReply wire_config_reply = {
    WIRE(config_reply),
    .n_settings = 1,
    .settings = wire_settings,
};

static inline void got_config_reply(const struct keystore_config_reply *config)
{
    assert_int_equal(config->count, 1);
    assert_string_equal(config->settings[0].name, "save");
    assert_string_equal(config->settings[0].value, "60 5");
    assert_int_equal(config->settings[0].origin, KEYSTORE_ORIGIN_CHANGED);
    assert_string_equal(config->settings[0].accepts, "pairs");
    assert_true(config->settings[0].changeable);
    assert_string_equal(config->settings[0].help, "when");
}

static inline void empty_config_reply(const struct keystore_config_reply *config)
{
    assert_int_equal(config->count, 0);
}

static Keystore__V1__SlowLogReply__Entry wire_slow_call = {
    WIRE(slow_log_reply__entry),
    .unix_ms = 1,
    .duration_us = 2,
    .method = "s/M",
    .key = WIRE_BYTES("k\0y"),
    .id = 3,
    .db = 4,
    .key_size = 5,
    .keys = 6,
    .elements = 7,
    .request_bytes = 8,
    .reply_bytes = 9,
    .peer = "p",
    .status = 10,
    .trace_id = "t",
    .request_id = WIRE_BYTES("id"),
    .previous_attempts = 11,
    .waited_for_disk = true,
    .waited_for_lock = true,
    .offloaded = true,
};
static Keystore__V1__SlowLogReply__Entry *wire_slow_calls[] = {&wire_slow_call};
static Keystore__V1__SlowLogReply wire_slow_log_reply = {
    WIRE(slow_log_reply), .n_entries = 1, .entries = wire_slow_calls, .total = 12, .kept = 13,
};

static inline void got_slow_log_reply(const struct keystore_slow_log_reply *log)
{
    assert_int_equal(log->count, 1);
    assert_int_equal(log->total + 100 * log->kept, 1312);
    const struct keystore_slow_call *call = log->calls;
    assert_int_equal(call->unix_ms + 100 * call->duration_us, 201);
    assert_string_equal(call->method, "s/M");
    assert_slice(call->key, "k\0y");
    assert_int_equal(call->id + 100 * call->db, 403);
    assert_int_equal(call->key_size + 100 * call->keys, 605);
    assert_int_equal(call->elements + 100 * call->request_bytes, 807);
    assert_int_equal(call->reply_bytes, 9);
    assert_string_equal(call->peer, "p");
    assert_int_equal(call->status, KEYSTORE_ABORTED);
    assert_string_equal(call->trace_id, "t");
    assert_slice(call->request_id, "id");
    assert_int_equal(call->previous_attempts, 11);
    assert_true(call->waited_for_disk && call->waited_for_lock && call->offloaded);
}

static inline void empty_slow_log_reply(const struct keystore_slow_log_reply *log)
{
    assert_true(log->count == 0 && log->total == 0 && log->kept == 0);
}

static uint64_t wire_buckets[] = {21, 22, 23}, wire_codes[] = {31, 32}, wire_bounds[] = {10, 20};
static Keystore__V1__LatencyReply__Method wire_method_latency = {
    WIRE(latency_reply__method),
    .service = "s",
    .method = "M",
    .started = 1,
    .count = 2,
    .failed = 3,
    .retried = 4,
    .messages_received = 5,
    .messages_sent = 6,
    .sum_us = 7,
    .max_us = 8,
    .p50_us = 0.5,
    .p90_us = 0.25,
    .p99_us = 0.125,
    .p999_us = 1.5,
    .n_buckets = 3,
    .buckets = wire_buckets,
    .n_codes = 2,
    .codes = wire_codes,
};
static Keystore__V1__LatencyReply__Method *wire_method_latencies[] = {&wire_method_latency};
static Keystore__V1__LatencyReply wire_latency_reply = {
    WIRE(latency_reply), .n_methods = 1,           .methods = wire_method_latencies,
    .n_bounds_us = 2,    .bounds_us = wire_bounds,
};

static inline void got_latency_reply(const struct keystore_latency_reply *latency)
{
    assert_int_equal(latency->count, 1);
    const struct keystore_method_latency *method = latency->methods;
    assert_string_equal(method->service, "s");
    assert_string_equal(method->method, "M");
    assert_int_equal(method->started + 10 * method->ended + 100 * method->failed, 321);
    assert_int_equal(method->retried + 10 * method->messages_received, 54);
    assert_int_equal(method->messages_sent + 10 * method->sum_us + 100 * method->max_us, 876);
    assert_true(method->p50_us == 0.5 && method->p90_us == 0.25);
    assert_true(method->p99_us == 0.125 && method->p999_us == 1.5);
    assert_int_equal(method->bucket_count, 3);
    assert_int_equal(method->buckets[0] + 100 * method->buckets[2], 2321);
    assert_int_equal(method->code_count, 2);
    assert_int_equal(method->codes[0] + 100 * method->codes[1], 3231);
    assert_int_equal(latency->bound_count, 2);
    assert_int_equal(latency->bounds_us[0] + 100 * latency->bounds_us[1], 2010);
}

static inline void empty_latency_reply(const struct keystore_latency_reply *latency)
{
    assert_true(latency->count == 0 && latency->bound_count == 0);
}

static Keystore__V1__InfoReply wire_info_reply = {
    WIRE(info_reply),
    .n_fields = 2,
    .fields = wire_fields,
};

static inline void got_info_reply(const struct keystore_info_reply *info)
{
    assert_int_equal(info->count, 2);
    assert_string_equal(info->fields[0].name, "version");
    assert_string_equal(info->fields[0].value, "1.2");
    assert_string_equal(info->fields[1].name, "empty");
    assert_string_equal(info->fields[1].value, "");
}

static inline void empty_info_reply(const struct keystore_info_reply *info)
{
    assert_int_equal(info->count, 0);
}

/* Of an empty message, or of no answer. */
static inline void assert_no_text(const char *text)
{
    assert_true(text == NULL || text[0] == '\0');
}

static Keystore__V1__AuthenticateReply wire_authenticate_reply = {
    WIRE(authenticate_reply),
    .token = (char *)"kst_1",
    .expires_at_ms = 1795999869036,
    .user = (char *)"ann",
};

static inline void got_authenticate_reply(const struct keystore_authenticate_reply *reply)
{
    assert_string_equal(reply->token, "kst_1");
    assert_int_equal(reply->expires_at_ms, 1795999869036);
    assert_string_equal(reply->user, "ann");
}

static inline void empty_authenticate_reply(const struct keystore_authenticate_reply *reply)
{
    assert_no_text(reply->token);
    assert_int_equal(reply->expires_at_ms, 0);
    assert_no_text(reply->user);
}

static char *wire_rules[] = {(char *)"read keys=a", (char *)"pubsub"};
static Keystore__V1__Identity wire_identity = {
    WIRE(identity),
    .user = (char *)"ann",
    .means = KEYSTORE__V1__IDENTITY__MEANS__MEANS_SESSION,
    .id = (char *)"0123",
    .expires_at_ms = 1795999869036,
    .n_rules = 2,
    .rules = wire_rules,
};

static inline void got_identity(const struct keystore_identity *identity)
{
    assert_string_equal(identity->user, "ann");
    assert_int_equal(identity->means, KEYSTORE_MEANS_SESSION);
    assert_string_equal(identity->id, "0123");
    assert_int_equal(identity->expires_at_ms, 1795999869036);
    assert_int_equal(identity->count, 2);
    assert_string_equal(identity->rules[0], "read keys=a");
    assert_string_equal(identity->rules[1], "pubsub");
}

static inline void empty_identity(const struct keystore_identity *identity)
{
    assert_no_text(identity->user);
    assert_no_text(identity->id);
    assert_int_equal(identity->means, KEYSTORE_MEANS_NONE);
    assert_int_equal(identity->count, 0);
}

static Grpc__Health__V1__HealthCheckResponse wire_health_reply = {
    .base = PROTOBUF_C_MESSAGE_INIT(&grpc__health__v1__health_check_response__descriptor),
    .status = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING,
};

static inline void got_health_reply(const struct keystore_health_reply *health)
{
    assert_int_equal(health->status, KEYSTORE_NOT_SERVING);
}

static inline void empty_health_reply(const struct keystore_health_reply *health)
{
    assert_int_equal(health->status, KEYSTORE_SERVING_UNKNOWN);
}

static Keystore__V1__OpError wire_error = {
    WIRE(op_error),
    .code = 9,
    .reason = KEYSTORE__V1__ERROR_REASON__ERROR_REASON_WRONG_TYPE,
    .message = (char *)"it is a list",
};

static inline void got_error(const struct keystore_op_error *error)
{
    assert_int_equal(error->code, KEYSTORE_FAILED_PRECONDITION);
    assert_string_equal(error->reason, "ERROR_REASON_WRONG_TYPE");
    assert_string_equal(error->message, "it is a list");
}

#define WIRE_REPLY(number, case_name, field, message)                                              \
    {                                                                                              \
        WIRE(reply), .id = (number), .result_case = KEYSTORE__V1__REPLY__RESULT_##case_name,       \
                     .field = (message)                                                            \
    }

static Keystore__V1__Reply wire_each_reply[] = {
    WIRE_REPLY(UINT64_MAX, STATUS, status, &wire_status),
    WIRE_REPLY(1, VALUE, value, &wire_value),
    WIRE_REPLY(2, LIST, list, &wire_list_values),
    WIRE_REPLY(3, NUMBER, number, &wire_number),
    WIRE_REPLY(4, ERROR, error, &wire_error),
    WIRE_REPLY(5, VALUES, values, &wire_values),
    WIRE_REPLY(6, INFO, info, &wire_key_info),
    WIRE_REPLY(7, POPPED, popped, &wire_popped),
    WIRE_REPLY(8, POSITIONS, positions, &wire_positions),
    WIRE_REPLY(10, BIT_FIELDS, bit_fields, &wire_bit_fields),
    WIRE_REPLY(11, LCS, lcs, &wire_lcs_reply),
    {WIRE(reply), .id = 9},
};
static Keystore__V1__Reply *wire_some_replies[] = {
    &wire_each_reply[0], &wire_each_reply[1], &wire_each_reply[2],  &wire_each_reply[3],
    &wire_each_reply[4], &wire_each_reply[5], &wire_each_reply[6],  &wire_each_reply[7],
    &wire_each_reply[8], &wire_each_reply[9], &wire_each_reply[10], &wire_each_reply[11],
};
static Keystore__V1__TxnReply wire_txn_reply = {
    WIRE(txn_reply), .succeeded = true, .n_replies = 12, .replies = wire_some_replies, .version = 3,
};

#define assert_reply(reply, number, expected, member)                                              \
    do {                                                                                           \
        assert_true((reply)->id == (number));                                                      \
        assert_int_equal((reply)->kind, KEYSTORE_REPLY_##expected);                                \
        got_##member;                                                                              \
    } while (0)

static inline void got_txn_reply(const struct keystore_txn_reply *txn)
{
    assert_true(txn->succeeded);
    assert_int_equal(txn->version, 3);
    assert_int_equal(txn->count, 12);
    const struct keystore_reply *replies = txn->replies;
    assert_reply(&replies[0], UINT64_MAX, STATUS, status(&replies[0].answer.status));
    assert_reply(&replies[1], 1, VALUE, value(&replies[1].answer.value));
    assert_reply(&replies[2], 2, LIST, list_values(&replies[2].answer.list));
    assert_reply(&replies[3], 3, NUMBER, number(&replies[3].answer.number));
    assert_reply(&replies[4], 4, ERROR, error(&replies[4].answer.error));
    assert_reply(&replies[5], 5, VALUES, values(&replies[5].answer.values));
    assert_reply(&replies[6], 6, INFO, key_info(&replies[6].answer.info));
    assert_reply(&replies[7], 7, POPPED, popped(&replies[7].answer.popped));
    assert_reply(&replies[8], 8, POSITIONS, positions(&replies[8].answer.positions));
    assert_reply(&replies[9], 10, BIT_FIELDS, bit_fields(&replies[9].answer.bit_fields));
    assert_reply(&replies[10], 11, LCS, lcs_reply(&replies[10].answer.lcs));
    assert_int_equal(replies[11].id, 9);
    assert_int_equal(replies[11].kind, KEYSTORE_REPLY_NONE);
}

static inline void empty_txn_reply(const struct keystore_txn_reply *txn)
{
    assert_false(txn->succeeded);
    assert_true(txn->count == 0 && txn->version == 0);
}

#endif
