/*
 * One request of each kind with all its fields set, and what must arrive of it: sample_X is the
 * public struct, seen_X(wire) asserts each field of the message. Included after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_CLIENT_SAMPLE_REQUESTS_H
#define KEYSTORE_TESTS_CLIENT_SAMPLE_REQUESTS_H

#include "keystore/admin.h"
#include "mini_redis.pb-c.h"

#include <grpc/health/v1/health.pb-c.h>

#include <string.h>

#define SAMPLE_TEXT(text)                                                                          \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

/* All kinds of bytes, so that nothing may treat them as text. */
#define SAMPLE_BYTES "\0\xff\r\n"

#define assert_wire(wire, literal)                                                                 \
    do {                                                                                           \
        assert_int_equal((wire).len, sizeof(literal) - 1);                                         \
        assert_memory_equal((wire).data, literal, sizeof(literal) - 1);                            \
    } while (0)

static const struct keystore_condition sample_condition = {
    .existence = KEYSTORE_PRESENT,
    .version = UINT64_MAX,
    .match_value = true,
    .value = SAMPLE_TEXT("old"),
};

static inline void seen_condition(const Keystore__V1__Condition *wire)
{
    assert_non_null(wire);
    assert_int_equal(wire->existence, KEYSTORE__V1__EXISTENCE__EXISTENCE_PRESENT);
    assert_true(wire->version == UINT64_MAX);
    assert_true(wire->match_value);
    assert_wire(wire->value, "old");
}

static const struct keystore_slice sample_slices[] = {
    SAMPLE_TEXT("one"),
    {NULL, 0},
    SAMPLE_TEXT(SAMPLE_BYTES),
};

static inline void seen_slices(const ProtobufCBinaryData *wire, size_t count)
{
    assert_int_equal(count, 3);
    assert_wire(wire[0], "one");
    assert_int_equal(wire[1].len, 0);
    assert_wire(wire[2], SAMPLE_BYTES);
}

static const struct keystore_key sample_key = {
    .key = SAMPLE_TEXT("foo"),
    .db = 5,
    .condition = &sample_condition,
    .want_as_of = true,
};

static inline void seen_key(const Keystore__V1__Key *wire)
{
    assert_wire(wire->key, "foo");
    assert_int_equal(wire->db, 5);
    seen_condition(wire->condition);
    assert_true(wire->want_as_of);
}

static const struct keystore_key_value sample_key_value = {
    .key = SAMPLE_TEXT("k"),
    .value = SAMPLE_TEXT(SAMPLE_BYTES),
    .db = 15,
    .ttl_ms = INT64_MAX,
    .expire_at_ms = 1800000000000,
    .keep_ttl = true,
    .return_previous = true,
    .condition = &sample_condition,
};

static inline void seen_key_value(const Keystore__V1__KeyValue *wire)
{
    assert_wire(wire->key, "k");
    assert_wire(wire->value, SAMPLE_BYTES);
    assert_int_equal(wire->db, 15);
    assert_true(wire->ttl_ms == INT64_MAX);
    assert_true(wire->expire_at_ms == 1800000000000);
    assert_true(wire->keep_ttl);
    assert_true(wire->return_previous);
    seen_condition(wire->condition);
}

static const struct keystore_list_insert sample_list_insert = {
    .key = SAMPLE_TEXT("l"),
    .values = sample_slices,
    .count = 3,
    .db = 1,
    .ttl_ms = 250,
    .max_length = 9,
    .condition = &sample_condition,
};

static inline void seen_list_insert(const Keystore__V1__ListInsert *wire)
{
    assert_wire(wire->key, "l");
    seen_slices(wire->values, wire->n_values);
    assert_int_equal(wire->db, 1);
    assert_int_equal(wire->ttl_ms, 250);
    assert_int_equal(wire->max_length, 9);
    seen_condition(wire->condition);
}

static const struct keystore_list_range sample_list_range = {
    .key = SAMPLE_TEXT("l"),
    .start = INT64_MIN,
    .stop = -1,
    .db = 2,
};

static inline void seen_list_range(const Keystore__V1__ListRange *wire)
{
    assert_wire(wire->key, "l");
    assert_true(wire->start == INT64_MIN);
    assert_int_equal(wire->stop, -1);
    assert_int_equal(wire->db, 2);
}

static const struct keystore_keys sample_keys = {.keys = sample_slices, .count = 3, .db = 4};

static inline void seen_keys(const Keystore__V1__Keys *wire)
{
    seen_slices(wire->keys, wire->n_keys);
    assert_int_equal(wire->db, 4);
}

static const struct keystore_key_value sample_entries[] = {
    {.key = SAMPLE_TEXT("k"),
     .value = SAMPLE_TEXT(SAMPLE_BYTES),
     .db = 15,
     .ttl_ms = INT64_MAX,
     .expire_at_ms = 1800000000000,
     .keep_ttl = true,
     .return_previous = true,
     .condition = &sample_condition},
    {.key = SAMPLE_TEXT("second")},
};

static const struct keystore_key_values sample_key_values = {
    .entries = sample_entries,
    .count = 2,
    .db = 6,
};

static inline void seen_key_values(const Keystore__V1__KeyValues *wire)
{
    assert_int_equal(wire->n_entries, 2);
    seen_key_value(wire->entries[0]);
    assert_wire(wire->entries[1]->key, "second");
    assert_null(wire->entries[1]->condition);
    assert_int_equal(wire->db, 6);
}

static const struct keystore_increment sample_increment = {
    .key = SAMPLE_TEXT("n"),
    .delta = KEYSTORE_BY,
    .by = INT64_MIN,
    .by_float = 2.5, /* not sent */
    .ttl_ms = 1000,
    .db = 7,
};

static inline void seen_increment(const Keystore__V1__Increment *wire)
{
    assert_wire(wire->key, "n");
    assert_int_equal(wire->delta_case, KEYSTORE__V1__INCREMENT__DELTA_BY);
    assert_true(wire->by == INT64_MIN);
    assert_int_equal(wire->ttl_ms, 1000);
    assert_int_equal(wire->db, 7);
}

static const struct keystore_byte_range sample_byte_range = {
    .key = SAMPLE_TEXT("s"),
    .start = -5,
    .stop = INT64_MAX,
    .value = SAMPLE_TEXT(SAMPLE_BYTES),
    .db = 8,
};

static inline void seen_byte_range(const Keystore__V1__ByteRange *wire)
{
    assert_wire(wire->key, "s");
    assert_int_equal(wire->start, -5);
    assert_true(wire->stop == INT64_MAX);
    assert_wire(wire->value, SAMPLE_BYTES);
    assert_int_equal(wire->db, 8);
}

static const struct keystore_bit_request sample_bit_request = {
    .key = SAMPLE_TEXT("s"),
    .offset = UINT64_MAX,
    .bit = true,
    .db = 3,
};

static inline void seen_bit_request(const Keystore__V1__BitRequest *wire)
{
    assert_wire(wire->key, "s");
    assert_true(wire->offset == UINT64_MAX);
    assert_true(wire->bit);
    assert_int_equal(wire->db, 3);
}

static const struct keystore_bit_range sample_bit_range = {
    .key = SAMPLE_TEXT("s"),
    .start = INT64_MIN,
    .has_stop = true,
    .stop = -7,
    .in_bits = true,
    .bit = true,
    .db = 4,
};

static inline void seen_bit_range(const Keystore__V1__BitRange *wire)
{
    assert_wire(wire->key, "s");
    assert_true(wire->start == INT64_MIN);
    assert_int_equal(wire->last_case, KEYSTORE__V1__BIT_RANGE__LAST_STOP);
    assert_int_equal(wire->stop, -7);
    assert_true(wire->in_bits);
    assert_true(wire->bit);
    assert_int_equal(wire->db, 4);
}

static const struct keystore_bit_op_request sample_bit_op_request = {
    .operation = KEYSTORE_BITS_NOT,
    .key = SAMPLE_TEXT("target"),
    .keys = sample_slices,
    .key_count = 3,
    .db = 5,
};

static inline void seen_bit_op_request(const Keystore__V1__BitOpRequest *wire)
{
    assert_int_equal(wire->operation, KEYSTORE__V1__BIT_OP_REQUEST__OPERATION__OPERATION_NOT);
    assert_wire(wire->key, "target");
    seen_slices(wire->keys, wire->n_keys);
    assert_int_equal(wire->db, 5);
}

static const struct keystore_bit_field sample_bit_fields[] = {
    {.action = KEYSTORE_FIELD_INCREMENT,
     .is_signed = true,
     .bits = 64,
     .offset = UINT64_MAX,
     .value = INT64_MIN,
     .overflow = KEYSTORE_OVERFLOW_FAIL},
    {.action = KEYSTORE_FIELD_GET, .bits = 1},
};

static const struct keystore_bit_field_request sample_bit_field_request = {
    .key = SAMPLE_TEXT("s"),
    .parts = sample_bit_fields,
    .count = 2,
    .db = 6,
};

static inline void seen_bit_field_request(const Keystore__V1__BitFieldRequest *wire)
{
    assert_wire(wire->key, "s");
    assert_int_equal(wire->db, 6);
    assert_int_equal(wire->n_parts, 2);
    const Keystore__V1__BitFieldRequest__Part *part = wire->parts[0];
    assert_int_equal(part->action, KEYSTORE__V1__BIT_FIELD_REQUEST__ACTION__ACTION_INCREMENT);
    assert_true(part->is_signed);
    assert_int_equal(part->bits, 64);
    assert_true(part->offset == UINT64_MAX);
    assert_true(part->value == INT64_MIN);
    assert_int_equal(part->overflow, KEYSTORE__V1__BIT_FIELD_REQUEST__OVERFLOW__OVERFLOW_FAIL);
    part = wire->parts[1];
    assert_int_equal(part->action, KEYSTORE__V1__BIT_FIELD_REQUEST__ACTION__ACTION_GET);
    assert_int_equal(part->bits, 1);
    assert_false(part->is_signed);
}

static const struct keystore_lcs_request sample_lcs_request = {
    .key = SAMPLE_TEXT("one"),
    .other_key = SAMPLE_TEXT("other"),
    .want_string = true,
    .want_matches = true,
    .min_match_length = UINT64_MAX,
    .db = 8,
};

static inline void seen_lcs_request(const Keystore__V1__LcsRequest *wire)
{
    assert_wire(wire->key, "one");
    assert_wire(wire->other_key, "other");
    assert_true(wire->want_string);
    assert_true(wire->want_matches);
    assert_true(wire->min_match_length == UINT64_MAX);
    assert_int_equal(wire->db, 8);
}

static const struct keystore_expire_request sample_expire_request = {
    .key = SAMPLE_TEXT("e"),
    .ttl_ms = -1,
    .expire_at_ms = 1900000000000,
    .persist = true,
    .when = KEYSTORE_WHEN_SOONER,
    .db = 9,
};

static inline void seen_expire_request(const Keystore__V1__ExpireRequest *wire)
{
    assert_wire(wire->key, "e");
    assert_int_equal(wire->ttl_ms, -1);
    assert_true(wire->expire_at_ms == 1900000000000);
    assert_true(wire->persist);
    assert_int_equal(wire->when, KEYSTORE__V1__EXPIRE_REQUEST__WHEN__WHEN_SOONER);
    assert_int_equal(wire->db, 9);
}

static const struct keystore_copy_request sample_copy_request = {
    .source = SAMPLE_TEXT("from"),
    .target = SAMPLE_TEXT("to"),
    .has_target_db = true,
    .target_db = 3,
    .replace = true,
    .absent_only = true,
    .db = 10,
};

static inline void seen_copy_request(const Keystore__V1__CopyRequest *wire)
{
    assert_wire(wire->source, "from");
    assert_wire(wire->target, "to");
    assert_int_equal(wire->target_database_case,
                     KEYSTORE__V1__COPY_REQUEST__TARGET_DATABASE_TARGET_DB);
    assert_int_equal(wire->target_db, 3);
    assert_true(wire->replace);
    assert_true(wire->absent_only);
    assert_int_equal(wire->db, 10);
}

static const struct keystore_db_request sample_db_request = {.db = 11};

static inline void seen_db_request(const Keystore__V1__DbRequest *wire)
{
    assert_int_equal(wire->db, 11);
}

static const struct keystore_swap_request sample_swap_request = {.db = 11, .other_db = 12};

static inline void seen_swap_request(const Keystore__V1__SwapRequest *wire)
{
    assert_int_equal(wire->db, 11);
    assert_int_equal(wire->other_db, 12);
}

static const struct keystore_pop_request sample_pop_request = {
    .keys = sample_slices,
    .key_count = 3,
    .end = KEYSTORE_TAIL,
    .count = UINT32_MAX,
    .wait_ms = -1,
    .db = 12,
};

static inline void seen_pop_request(const Keystore__V1__PopRequest *wire)
{
    seen_slices(wire->keys, wire->n_keys);
    assert_int_equal(wire->end, KEYSTORE__V1__LIST_END__LIST_END_TAIL);
    assert_true(wire->count == UINT32_MAX);
    assert_int_equal(wire->wait_ms, -1);
    assert_int_equal(wire->db, 12);
}

static const struct keystore_move_request sample_move_request = {
    .source = SAMPLE_TEXT("from"),
    .target = SAMPLE_TEXT("to"),
    .source_end = KEYSTORE_HEAD,
    .target_end = KEYSTORE_TAIL,
    .wait_ms = 700,
    .db = 13,
};

static inline void seen_move_request(const Keystore__V1__MoveRequest *wire)
{
    assert_wire(wire->source, "from");
    assert_wire(wire->target, "to");
    assert_int_equal(wire->source_end, KEYSTORE__V1__LIST_END__LIST_END_HEAD);
    assert_int_equal(wire->target_end, KEYSTORE__V1__LIST_END__LIST_END_TAIL);
    assert_int_equal(wire->wait_ms, 700);
    assert_int_equal(wire->db, 13);
}

static const struct keystore_list_item sample_list_item = {
    .key = SAMPLE_TEXT("l"),
    .index = -2,
    .value = SAMPLE_TEXT(SAMPLE_BYTES),
    .pivot = SAMPLE_TEXT("pivot"),
    .after = true,
    .db = 14,
};

static inline void seen_list_item(const Keystore__V1__ListItem *wire)
{
    assert_wire(wire->key, "l");
    assert_int_equal(wire->index, -2);
    assert_wire(wire->value, SAMPLE_BYTES);
    assert_wire(wire->pivot, "pivot");
    assert_true(wire->after);
    assert_int_equal(wire->db, 14);
}

static const struct keystore_list_find sample_list_find = {
    .key = SAMPLE_TEXT("l"),
    .value = SAMPLE_TEXT(SAMPLE_BYTES),
    .count = -3,
    .rank = INT64_MIN,
    .max_scan = UINT64_MAX,
    .db = 1,
};

static inline void seen_list_find(const Keystore__V1__ListFind *wire)
{
    assert_wire(wire->key, "l");
    assert_wire(wire->value, SAMPLE_BYTES);
    assert_int_equal(wire->count, -3);
    assert_true(wire->rank == INT64_MIN);
    assert_true(wire->max_scan == UINT64_MAX);
    assert_int_equal(wire->db, 1);
}

static const char *const sample_sections[] = {"server", "memory"};

static const struct keystore_info_request sample_info_request = {
    .sections = sample_sections,
    .count = 2,
};

static inline void seen_info_request(const Keystore__V1__InfoRequest *wire)
{
    assert_int_equal(wire->n_sections, 2);
    assert_string_equal(wire->sections[0], "server");
    assert_string_equal(wire->sections[1], "memory");
}

static const struct keystore_save_request sample_save_request = {.wait = true};

static inline void seen_save_request(const Keystore__V1__SaveRequest *wire)
{
    assert_true(wire->wait);
}

static const struct keystore_authenticate_request sample_authenticate_request = {
    .user = "ann", .password = "secret", .lifetime_ms = 60000};

static inline void seen_authenticate_request(const Keystore__V1__AuthenticateRequest *wire)
{
    assert_string_equal(wire->user, "ann");
    assert_string_equal(wire->password, "secret");
    assert_int_equal(wire->lifetime_ms, 60000);
}

static const struct keystore_who_am_i_request sample_who_am_i_request = {.unused = false};

static inline void seen_who_am_i_request(const Keystore__V1__WhoAmIRequest *wire)
{
    assert_int_equal(wire->base.n_unknown_fields, 0); /* it has no fields */
}

static const struct keystore_health_request sample_health_request = {.service = "keystore.write"};

static inline void seen_health_request(const Grpc__Health__V1__HealthCheckRequest *wire)
{
    assert_string_equal(wire->service, "keystore.write");
}

static const struct keystore_clients_request sample_clients_request = {.own = true, .id = 7};

static inline void seen_clients_request(const Keystore__V1__ClientsRequest *wire)
{
    assert_true(wire->own);
    assert_int_equal(wire->id, 7);
}

static const struct keystore_config_request sample_config_request = {.pattern = "max-*"};

static inline void seen_config_request(const Keystore__V1__ConfigRequest *wire)
{
    assert_string_equal(wire->pattern, "max-*");
}

static const struct keystore_set_config_request sample_set_config_request = {.name = "save",
                                                                             .value = "60 5"};

static inline void seen_set_config_request(const Keystore__V1__SetConfigRequest *wire)
{
    assert_string_equal(wire->name, "save");
    assert_string_equal(wire->value, "60 5");
}

static const struct keystore_kill_clients_request sample_kill_clients_request = {
    .id = UINT64_MAX, .address = "10.0.0.1", .listener = "unix:/socket", .include_own = true};

static inline void seen_kill_clients_request(const Keystore__V1__KillClientsRequest *wire)
{
    assert_true(wire->id == UINT64_MAX);
    assert_string_equal(wire->address, "10.0.0.1");
    assert_string_equal(wire->listener, "unix:/socket");
    assert_true(wire->include_own);
}

static const struct keystore_slow_log_request sample_slow_log_request = {.limit = 10,
                                                                         .reset = true};

static inline void seen_slow_log_request(const Keystore__V1__SlowLogRequest *wire)
{
    assert_int_equal(wire->limit, 10);
    assert_true(wire->reset);
}

static const char *const sample_methods[] = {"Get", "keystore.v1.KeyStore/Set"};

static const struct keystore_latency_request sample_latency_request = {
    .methods = sample_methods,
    .count = 2,
};

static inline void seen_latency_request(const Keystore__V1__LatencyRequest *wire)
{
    assert_int_equal(wire->n_methods, 2);
    assert_string_equal(wire->methods[0], "Get");
    assert_string_equal(wire->methods[1], "keystore.v1.KeyStore/Set");
}

static const struct keystore_message sample_message = {
    .channel = SAMPLE_TEXT("news"),
    .payload = SAMPLE_TEXT("p\0q"),
    .sequence = UINT64_MAX,
    .missed = 4,
};

static inline void seen_message(const Keystore__V1__Message *wire)
{
    assert_wire(wire->channel, "news");
    assert_wire(wire->payload, "p\0q");
    assert_true(wire->sequence == UINT64_MAX);
    assert_int_equal(wire->missed, 4);
}

static const struct keystore_compare sample_compares[] = {
    {.key = SAMPLE_TEXT("c"), .condition = &sample_condition, .db = 3},
    {.key = SAMPLE_TEXT("plain"), .has_unchanged_since = true},
};

static const struct keystore_op sample_success[] = {
    {.kind = KEYSTORE_OP_GET, .id = UINT64_MAX, .request.key = {.key = SAMPLE_TEXT("g"), .db = 2}},
    {.kind = KEYSTORE_OP_LPOP, .request.key = {.key = SAMPLE_TEXT("p")}},
};

static const struct keystore_op sample_failure[] = {
    {.kind = KEYSTORE_OP_RPUSH,
     .id = 8,
     .request.list_insert = {.key = SAMPLE_TEXT("f"), .values = sample_slices, .count = 3}},
};

static const struct keystore_txn_request sample_txn_request = {
    .compares = sample_compares,
    .compare_count = 2,
    .success = sample_success,
    .success_count = 2,
    .failure = sample_failure,
    .failure_count = 1,
};

static inline void seen_txn_request(const Keystore__V1__TxnRequest *wire)
{
    assert_int_equal(wire->n_compares, 2);
    assert_wire(wire->compares[0]->key, "c");
    seen_condition(wire->compares[0]->condition);
    assert_int_equal(wire->compares[0]->db, 3);
    assert_wire(wire->compares[1]->key, "plain");
    assert_null(wire->compares[1]->condition);
    assert_int_equal(wire->compares[0]->since_case,
                     KEYSTORE__V1__TXN_REQUEST__COMPARE__SINCE__NOT_SET);
    assert_int_equal(wire->compares[1]->since_case,
                     KEYSTORE__V1__TXN_REQUEST__COMPARE__SINCE_UNCHANGED_SINCE);
    assert_int_equal(wire->n_success, 2);
    assert_true(wire->success[0]->id == UINT64_MAX);
    assert_int_equal(wire->success[0]->op_case, KEYSTORE__V1__OP__OP_GET);
    assert_wire(wire->success[0]->get->key, "g");
    assert_int_equal(wire->success[0]->get->db, 2);
    assert_int_equal(wire->success[1]->op_case, KEYSTORE__V1__OP__OP_L_POP);
    assert_int_equal(wire->n_failure, 1);
    assert_int_equal(wire->failure[0]->id, 8);
    assert_int_equal(wire->failure[0]->op_case, KEYSTORE__V1__OP__OP_R_PUSH);
    seen_slices(wire->failure[0]->r_push->values, wire->failure[0]->r_push->n_values);
}

#endif
