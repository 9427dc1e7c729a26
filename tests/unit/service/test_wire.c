/*
 * Tests of service/wire.c against protobuf-c itself: random messages of every request type decode
 * to the same, damaged ones are accepted or refused alike, and bytes stay where they are.
 *
 * What differs on purpose, because the specification is stricter or more generous than protobuf-c:
 *  1. A tag or a length may have up to ten bytes, not five.
 *  2. Fields with the number 0, or one that does not fit a tag of 32 bits, are refused.
 *  3. A bool of another wire type is refused.
 *  4. A message that comes twice is merged field by field, also in a oneof, where protobuf-c takes
 *     the second, and also where the second says a zero.
 *  5. Strings are refused: no request that is served has any.
 */
#include "service/wire.h"

#include <mini_redis.pb-c.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "service/messages.h"
#include "store/seeded.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define MAX_DEPTH    4

/* Comparing. */

static size_t size_in_struct(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_MESSAGE:
    case PROTOBUF_C_TYPE_STRING:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_UINT32:
        return 4;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    default:
        fail_msg("the schema's requests have a new type %d", type);
        return 0;
    }
}

static void assert_same(const ProtobufCMessage *ours, const ProtobufCMessage *theirs,
                        struct slice input);

/* One value; our bytes lie in the input. */
static void assert_same_value(const ProtobufCFieldDescriptor *field, const void *ours,
                              const void *theirs, struct slice input)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        const ProtobufCMessage *our_message = *(ProtobufCMessage *const *)ours;
        const ProtobufCMessage *their_message = *(ProtobufCMessage *const *)theirs;
        assert_int_equal(our_message == NULL, their_message == NULL);
        if (our_message != NULL)
            assert_same(our_message, their_message, input);
    } else if (field->type == PROTOBUF_C_TYPE_BYTES) {
        struct slice our_bytes = message_slice(*(const ProtobufCBinaryData *)ours);
        assert_true(slice_equal(our_bytes, message_slice(*(const ProtobufCBinaryData *)theirs)));
        assert_true(our_bytes.len == 0 ||
                    (our_bytes.data >= input.data &&
                     our_bytes.data + our_bytes.len <= input.data + input.len));
    } else if (field->type == PROTOBUF_C_TYPE_STRING) {
        assert_string_equal(*(char *const *)ours, *(char *const *)theirs);
    } else {
        assert_memory_equal(ours, theirs, size_in_struct(field->type));
    }
}

static const void *at(const void *base, size_t offset)
{
    return (const char *)base + offset;
}

static void assert_same_field(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *ours,
                              const ProtobufCMessage *theirs, struct slice input)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count = *(const size_t *)at(ours, field->quantifier_offset);
        size_t size = size_in_struct(field->type);
        assert_int_equal(count, *(const size_t *)at(theirs, field->quantifier_offset));
        for (size_t i = 0; i < count; i++)
            assert_same_value(field, at(*(void *const *)at(ours, field->offset), i * size),
                              at(*(void *const *)at(theirs, field->offset), i * size), input);
        return;
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        uint32_t which = *(const uint32_t *)at(ours, field->quantifier_offset);
        assert_int_equal(which, *(const uint32_t *)at(theirs, field->quantifier_offset));
        if (which != field->id)
            return;
    }
    assert_same_value(field, at(ours, field->offset), at(theirs, field->offset), input);
}

static void assert_same(const ProtobufCMessage *ours, const ProtobufCMessage *theirs,
                        struct slice input)
{
    assert_ptr_equal(ours->descriptor, theirs->descriptor);
    for (unsigned i = 0; i < ours->descriptor->n_fields; i++)
        assert_same_field(&ours->descriptor->fields[i], ours, theirs, input);
}

/* Random messages. What they consist of lives in an arena. */

static ProtobufCMessage *random_message(const ProtobufCMessageDescriptor *descriptor,
                                        struct arena *arena, uint64_t *random, int depth);

static uint64_t random_number(uint64_t *random)
{
    uint64_t number = (uint64_t)seeded_below(random, INT32_MAX) << 33 ^
                      (uint64_t)seeded_below(random, INT32_MAX) << 2 ^ seeded_below(random, 4);
    number >>= seeded_below(random, 64);
    return seeded_below(random, 4) == 0 ? 0 - number : number;
}

static void random_value(const ProtobufCFieldDescriptor *field, void *member, struct arena *arena,
                         uint64_t *random, int depth)
{
    uint64_t number = random_number(random);
    double real = (double)(int64_t)number / 1000;
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **)member = random_message(field->descriptor, arena, random, depth + 1);
        break;
    case PROTOBUF_C_TYPE_STRING: {
        char *text = arena_alloc(arena, 8);
        snprintf(text, 8, "%.*s", (int)seeded_below(random, 8), "-12.5e3");
        *(char **)member = text;
        break;
    }
    case PROTOBUF_C_TYPE_BYTES: {
        size_t len = seeded_below(random, seeded_below(random, 8) == 0 ? 300 : 10);
        uint8_t *bytes = arena_alloc(arena, len);
        seeded_fill(random, bytes, len);
        *(ProtobufCBinaryData *)member = message_bytes(slice_make(bytes, len));
        break;
    }
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)member = seeded_below(random, 2) == 0;
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        memcpy(member, &real, sizeof real);
        break;
    default:
        memcpy(member, &number, size_in_struct(field->type));
    }
}

static void random_field(const ProtobufCFieldDescriptor *field, ProtobufCMessage *message,
                         struct arena *arena, uint64_t *random, int depth)
{
    char *base = (char *)message;
    bool deep = field->type == PROTOBUF_C_TYPE_MESSAGE && depth == MAX_DEPTH;
    if (deep || seeded_below(random, 4) == 0)
        return;
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
            uint32_t *which = (uint32_t *)(void *)(base + field->quantifier_offset);
            if (*which != 0 || seeded_below(random, 4) != 0)
                return;
            *which = field->id;
        }
        random_value(field, base + field->offset, arena, random, depth);
        return;
    }
    size_t count = seeded_below(random, seeded_below(random, 8) == 0 ? 40 : 4);
    size_t size = size_in_struct(field->type);
    char *elements = arena_alloc(arena, count * size);
    for (size_t i = 0; i < count; i++)
        random_value(field, elements + i * size, arena, random, depth);
    *(size_t *)(void *)(base + field->quantifier_offset) = count;
    *(void **)(void *)(base + field->offset) = elements;
}

static ProtobufCMessage *random_message(const ProtobufCMessageDescriptor *descriptor,
                                        struct arena *arena, uint64_t *random, int depth)
{
    ProtobufCMessage *message = arena_alloc(arena, descriptor->sizeof_message);
    unsigned first = descriptor->n_fields > 0 ? seeded_below(random, descriptor->n_fields) : 0;
    descriptor->message_init(message);
    for (unsigned i = 0; i < descriptor->n_fields; i++) /* so that any of a oneof may be first */
        random_field(&descriptor->fields[(first + i) % descriptor->n_fields], message, arena,
                     random, depth);
    return message;
}

/* The methods' requests, and of replies what has repeated numbers. */
static const ProtobufCMessageDescriptor *type_at(unsigned i)
{
    const ProtobufCServiceDescriptor *service = &keystore__v1__key_store__descriptor;
    if (i < service->n_methods)
        return service->methods[i].input;
    return i == service->n_methods ? &keystore__v1__positions__descriptor : NULL;
}

/* The message in the arena; NULL if the bytes are not one. */
static void *decode(const ProtobufCMessageDescriptor *type, struct slice bytes, struct arena *arena)
{
    void *message;
    enum err err = wire_decode(type, bytes, arena, &message);
    assert_true(err == ERR_NONE || err == ERR_BAD_MESSAGE);
    return err == ERR_NONE ? message : NULL;
}

static ProtobufCMessage *unpack(const ProtobufCMessageDescriptor *type, struct slice bytes)
{
    return protobuf_c_message_unpack(type, NULL, bytes.len, bytes.data);
}

static void test_random_messages_decode_to_the_same(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    struct arena made, decoded;
    arena_init(&made);
    arena_init(&decoded);
    for (unsigned i = 0; type_at(i) != NULL; i++) {
        for (int round = 0; round < 300; round++) {
            struct slice packed = message_pack(random_message(type_at(i), &made, &random, 0));
            ProtobufCMessage *ours = decode(type_at(i), packed, &decoded);
            ProtobufCMessage *theirs = unpack(type_at(i), packed);
            assert_non_null(ours);
            assert_non_null(theirs);
            assert_same(ours, theirs, packed);
            protobuf_c_message_free_unpacked(theirs, NULL);
            message_free_packed(packed);
            arena_reset(&made);
            arena_reset(&decoded);
        }
    }
    arena_deinit(&made);
    arena_deinit(&decoded);
}

/* Where the two differ: a plain walk over the bytes finds out. */

struct walk {
    struct slice left;
    bool malformed; /* as both see it */
    bool differs;   /* they may disagree whether it is a message */
    bool merges;    /* they may disagree on values */
};

/* A varint; `most` bytes of it are what protobuf-c takes where it differs, 0 where it does not. */
static uint64_t walk_varint(struct walk *walk, size_t most, uint64_t bound)
{
    uint64_t number = 0;
    for (size_t i = 0; i < walk->left.len && i < 10; i++) {
        uint8_t byte = walk->left.data[i];
        number |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) != 0)
            continue;
        if (most > 0 && (i >= most || number > bound))
            walk->differs = true;
        walk->left = slice_skip(walk->left, i + 1);
        return number;
    }
    walk->malformed = true;
    return 0;
}

static void walk_message(struct walk *walk, const ProtobufCMessageDescriptor *type);

static void walk_bytes(struct walk *walk, const ProtobufCFieldDescriptor *field, bool again)
{
    uint64_t len = walk_varint(walk, 5, INT32_MAX);
    if (walk->malformed || len > walk->left.len) {
        walk->malformed = true;
        return;
    }
    struct walk inner = {.left = slice_make(walk->left.data, (size_t)len)};
    walk->left = slice_skip(walk->left, (size_t)len);
    /* A string ends at its zero byte for protobuf-c; we refuse one. */
    if (field != NULL && field->type == PROTOBUF_C_TYPE_STRING && len > 0 &&
        memchr(inner.left.data, 0, (size_t)len) != NULL)
        walk->differs = true;
    if (field == NULL || field->type != PROTOBUF_C_TYPE_MESSAGE)
        return;
    walk_message(&inner, field->descriptor);
    walk->malformed |= inner.malformed;
    walk->differs |= inner.differs;
    walk->merges |= inner.merges || (again && field->label != PROTOBUF_C_LABEL_REPEATED);
}

static void walk_field(struct walk *walk, const ProtobufCFieldDescriptor *field, unsigned wire_type,
                       bool again)
{
    size_t fixed = wire_type == WIRE_FIXED64 ? 8 : 4;
    if (field != NULL && field->type == PROTOBUF_C_TYPE_BOOL && wire_type != WIRE_VARINT)
        walk->differs = true;
    switch (wire_type) {
    case WIRE_VARINT: {
        const uint8_t *from = walk->left.data;
        walk_varint(walk, 0, 0);
        /* Bits beyond the 64th count for protobuf-c's bool. */
        if (walk->left.data - from == 10 && from[9] > 1)
            walk->merges = true;
        break;
    }
    case WIRE_FIXED64:
    case WIRE_FIXED32:
        if (walk->left.len < fixed)
            walk->malformed = true;
        else
            walk->left = slice_skip(walk->left, fixed);
        break;
    case WIRE_BYTES:
        walk_bytes(walk, field, again);
        break;
    default:
        walk->malformed = true;
    }
}

static void walk_message(struct walk *walk, const ProtobufCMessageDescriptor *type)
{
    uint64_t seen = 0; /* of the fields below 64 */
    while (walk->left.len > 0 && !walk->malformed) {
        uint64_t tag = walk_varint(walk, 5, UINT32_MAX);
        if (walk->malformed)
            return;
        if (tag >> 3 == 0)
            walk->differs = true;
        const ProtobufCFieldDescriptor *field =
            tag >> 3 <= UINT32_MAX
                ? protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3))
                : NULL;
        uint64_t bit = tag >> 3 < 64 ? (uint64_t)1 << (tag >> 3) : 0;
        walk_field(walk, field, (unsigned)(tag & 7), (seen & bit) != 0);
        seen |= bit;
    }
}

/* Damage. */

static size_t damage(uint8_t *bytes, size_t len, size_t room, uint64_t *random)
{
    size_t where = len > 0 ? seeded_below(random, (uint32_t)len) : 0;
    switch (seeded_below(random, 6)) {
    case 0: /* cut off */
        return where;
    case 1: /* a byte more */
        if (len == room)
            return len;
        memmove(bytes + where + 1, bytes + where, len - where);
        bytes[where] = (uint8_t)seeded_below(random, 256);
        return len + 1;
    case 2: /* a byte less */
        if (len == 0)
            return len;
        memmove(bytes + where, bytes + where + 1, len - where - 1);
        return len - 1;
    case 3: /* a run twice */
        if (len == 0 || len + (len - where) > room)
            return len;
        memcpy(bytes + len, bytes + where, len - where);
        return len + (len - where);
    default: /* a byte changed */
        if (len > 0)
            bytes[where] ^= (uint8_t)(1 << seeded_below(random, 8));
        return len;
    }
}

struct tally {
    size_t same, refused, different;
};

static void compare_damaged(const ProtobufCMessageDescriptor *type, struct slice bytes,
                            struct arena *arena, struct tally *tally)
{
    struct walk walk = {.left = bytes};
    walk_message(&walk, type);
    ProtobufCMessage *ours = decode(type, bytes, arena);
    ProtobufCMessage *theirs = unpack(type, bytes);
    if (walk.differs) {
        tally->different++;
    } else {
        assert_int_equal(ours != NULL, theirs != NULL);
        if (ours != NULL && !walk.merges)
            assert_same(ours, theirs, bytes);
        *(ours != NULL ? &tally->same : &tally->refused) += 1;
    }
    if (theirs != NULL)
        protobuf_c_message_free_unpacked(theirs, NULL);
}

static void test_damaged_messages_are_refused_alike(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    struct arena made, decoded;
    struct tally tally = {0};
    arena_init(&made);
    arena_init(&decoded);
    for (int round = 0; round < 60000; round++) {
        unsigned i = seeded_below(&random, keystore__v1__key_store__descriptor.n_methods + 1);
        struct slice packed = message_pack(random_message(type_at(i), &made, &random, 0));
        size_t room = packed.len * 2 + 8, len = packed.len;
        uint8_t *bytes = malloc(room);
        memcpy(bytes, packed.data, len);
        for (uint32_t times = 1 + seeded_below(&random, 3); times > 0; times--)
            len = damage(bytes, len, room, &random);
        bytes = realloc(bytes, len > 0 ? len : 1); /* so that reading beyond it is seen */
        compare_damaged(type_at(i), slice_make(bytes, len), &decoded, &tally);
        free(bytes);
        message_free_packed(packed);
        arena_reset(&made);
        arena_reset(&decoded);
    }
    arena_deinit(&made);
    arena_deinit(&decoded);
    assert_true(tally.same > 5000);
    assert_true(tally.refused > 5000);
    assert_true(tally.different < 20000);
}

/* Messages by hand. */

static Keystore__V1__Key *decode_key_bytes(struct slice bytes, struct arena *arena)
{
    return decode(&keystore__v1__key__descriptor, bytes, arena);
}

static void test_the_last_of_a_scalar_counts(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    Keystore__V1__Key *key = decode_key_bytes(SLICE_LITERAL("\x0a\1a\x78\1\x0a\2bc\x78\2"), &arena);
    assert_non_null(key);
    assert_bytes_are(key->key, "bc");
    assert_int_equal(key->db, 2);
    arena_deinit(&arena);
}

static void test_a_message_that_comes_twice_is_merged(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    /* condition {existence: 1, version: 5}, condition {version: 0, value: "v"} */
    Keystore__V1__Key *key =
        decode_key_bytes(SLICE_LITERAL("\x12\4\x08\1\x10\5\x12\5\x10\0\x22\1v"), &arena);
    assert_non_null(key);
    assert_int_equal(key->condition->existence, 1);
    assert_int_equal(key->condition->version, 0);
    assert_bytes_are(key->condition->value, "v");
    arena_deinit(&arena);
}

static void test_the_last_of_a_oneof_counts(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    /* by: 1, by_float: 0 */
    Keystore__V1__Increment *increment = decode(
        &keystore__v1__increment__descriptor, SLICE_LITERAL("\x10\2\x19\0\0\0\0\0\0\0\0"), &arena);
    assert_non_null(increment);
    assert_int_equal(increment->delta_case, KEYSTORE__V1__INCREMENT__DELTA_BY_FLOAT);
    assert_true(increment->by_float == 0);
    /* set {key: "a"}, get {key: "b"}, set {value: "c"}: what came before the change is gone */
    Keystore__V1__Op *op = decode(&keystore__v1__op__descriptor,
                                  SLICE_LITERAL("\x12\3\x0a\1a\x1a\3\x0a\1b\x12\3\x12\1c"), &arena);
    assert_non_null(op);
    assert_int_equal(op->op_case, KEYSTORE__V1__OP__OP_SET);
    assert_int_equal(op->set->key.len, 0);
    assert_bytes_are(op->set->value, "c");
    /* set {key: "a"}, set {value: "c"}: merged */
    op = decode(&keystore__v1__op__descriptor, SLICE_LITERAL("\x12\3\x0a\1a\x12\3\x12\1c"), &arena);
    assert_non_null(op);
    assert_bytes_are(op->set->key, "a");
    assert_bytes_are(op->set->value, "c");
    arena_deinit(&arena);
}

static void test_repeated_numbers_packed_and_not(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    Keystore__V1__WatchRequest *request =
        decode(&keystore__v1__watch_request__descriptor,
               SLICE_LITERAL("\x20\1\x22\0\x22\3\2\3\4\x20\0"), &arena);
    assert_non_null(request);
    assert_int_equal(request->n_types, 5);
    static const int expected[] = {1, 2, 3, 4, 0};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(request->types[i], expected[i]);
    assert_null(
        decode(&keystore__v1__watch_request__descriptor, SLICE_LITERAL("\x22\2\1\x80"), &arena));
    arena_deinit(&arena);
}

static void test_unknown_fields_are_skipped(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    Keystore__V1__Key *key = decode_key_bytes(SLICE_LITERAL("\x38\x96\1\x31"
                                                            "12345678"
                                                            "\x3d"
                                                            "1234"
                                                            "\x3a\3abc"
                                                            "\xf8\xff\xff\xff\x0f\1"
                                                            "\x0a\1k"),
                                              &arena);
    assert_non_null(key);
    assert_bytes_are(key->key, "k");
    arena_deinit(&arena);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    static const struct slice bad[] = {
        SLICE_LITERAL("\x0a"),    /* no length */
        SLICE_LITERAL("\x0a\2a"), /* too short */
        SLICE_LITERAL("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"),
        SLICE_LITERAL("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"),
        SLICE_LITERAL("\x80"), /* a tag that ends in the middle */
        SLICE_LITERAL("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"),
        SLICE_LITERAL("\x02\1a"),                 /* field 0 */
        SLICE_LITERAL("\x8a\x80\x80\x80\x10\1a"), /* a tag of 33 bits */
        SLICE_LITERAL("\x0b\x0c"),                /* a group */
        SLICE_LITERAL("\x0e"),
        SLICE_LITERAL("\x0f"),
        SLICE_LITERAL("\x08\1"),         /* key as a number */
        SLICE_LITERAL("\x7a\1a"),        /* db as bytes */
        SLICE_LITERAL("\x12\2\x1a\0"),   /* condition.match_value as bytes */
        SLICE_LITERAL("\x12\2\x10\x80"), /* a bad message inside */
        SLICE_LITERAL("\x79"
                      "1234567"), /* 64 bits that are fewer */
        SLICE_LITERAL("\x7d"
                      "123"),
    };
    struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (decode_key_bytes(bad[i], &arena) != NULL)
            fail_msg("message %zu is accepted", i);
    }
    arena_deinit(&arena);
}

static void test_long_tags_and_lengths_are_accepted(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    Keystore__V1__Key *key = decode_key_bytes(
        SLICE_LITERAL("\x8a\x80\x80\x80\x80\x80\x80\x80\x80\0\x82\x80\x80\x80\x80\x80\x80\0hi"),
        &arena);
    assert_non_null(key);
    assert_bytes_are(key->key, "hi");
    arena_deinit(&arena);
}

static void test_strings_are_copied(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    char bytes[] = "\x0a\2ab\x0a\0\x0a\1c";
    Keystore__V1__InfoRequest *request =
        decode(&keystore__v1__info_request__descriptor, slice_make(bytes, 9), &arena);
    memset(bytes, 0xee, sizeof bytes);
    assert_non_null(request);
    assert_int_equal(request->n_sections, 3);
    assert_string_equal(request->sections[0], "ab");
    assert_string_equal(request->sections[1], "");
    assert_string_equal(request->sections[2], "c");
    assert_null(
        decode(&keystore__v1__info_request__descriptor, SLICE_LITERAL("\x0a\3a\0b"), &arena));
    assert_null(decode(&keystore__v1__info_request__descriptor, SLICE_LITERAL("\x0a\3ab"), &arena));
    assert_null(decode(&keystore__v1__info_request__descriptor, SLICE_LITERAL("\x08\1"), &arena));
    arena_deinit(&arena);
}

/* Each is two bytes here and a hundred decoded. */
static void test_messages_within_a_message_are_limited(void **state)
{
    (void)state;
    size_t len = 2 * (WIRE_MAX_MESSAGES + 1);
    char *bytes = malloc(len);
    for (size_t i = 0; i < len; i += 2)
        memcpy(bytes + i, "\x0a", 2);
    for (int more = 0; more < 2; more++) {
        struct arena arena;
        void *message;
        arena_init(&arena);
        enum err err = wire_decode(&keystore__v1__key_values__descriptor,
                                   slice_make(bytes, len - (more ? 0 : 2)), &arena, &message);
        assert_int_equal(err, more ? ERR_TOO_LARGE : ERR_NONE);
        if (!more)
            assert_int_equal(((Keystore__V1__KeyValues *)message)->n_entries, WIRE_MAX_MESSAGES);
        arena_deinit(&arena);
    }
    free(bytes);
}

/* Writing. */

static void test_written_doubles_are_read_by_protobuf(void **state)
{
    (void)state;
    static const double numbers[] = {0, -0.0, 1, -1.5, 1e308, 5e-324, 0.1};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        uint64_t bits;
        uint8_t bytes[9];
        memcpy(&bits, &numbers[i], sizeof bits);
        size_t size = (size_t)(wire_write_fixed64(bytes, 2, bits) - bytes);
        Keystore__V1__Number *number = keystore__v1__number__unpack(NULL, size, bytes);
        assert_non_null(number);
        assert_memory_equal(&number->real, &numbers[i], sizeof(double));
        keystore__v1__number__free_unpacked(number, NULL);
    }
}

static void test_what_is_written_has_the_size_that_was_said(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits <= 64; bits++) {
        for (int off = -1; off <= 1; off++) {
            uint64_t number = (bits < 64 ? (uint64_t)1 << bits : 0) + (uint64_t)off;
            uint8_t bytes[24];
            size_t size = wire_varint_size(number);
            assert_int_equal(wire_write_varint(bytes, number) - bytes, size);
            assert_int_equal(wire_write_number(bytes, 15, number) - bytes,
                             wire_number_size(number));
            assert_int_equal(wire_write_head(bytes, 15, number) - bytes, wire_head_size(number));
            assert_int_equal(wire_write_fixed64(bytes, 15, number) - bytes,
                             wire_fixed64_size(number));
        }
    }
    assert_int_equal(wire_number_size(0), 0);
}

static void test_what_is_written_is_read_by_protobuf(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    for (int i = 0; i < 2000; i++) {
        uint64_t version = random_number(&random);
        uint8_t value[200], bytes[300];
        size_t len = seeded_below(&random, sizeof value);
        seeded_fill(&random, value, len);
        uint8_t *end = wire_write_head(bytes, 1, len);
        memcpy(end, value, len);
        end = wire_write_number(end + len, 3, version);
        Keystore__V1__Value *message =
            keystore__v1__value__unpack(NULL, (size_t)(end - bytes), bytes);
        assert_non_null(message);
        assert_true(slice_equal(message_slice(message->value), slice_make(value, len)));
        assert_int_equal(message->version, version);
        keystore__v1__value__free_unpacked(message, NULL);
    }
}

/* ---- memory ---- */

/* Blocks are large from 4 to 8 to 16 KiB on; a message, a string and elements each ask for them. */
static void test_memory_that_is_refused(void **state)
{
    (void)state;
    static char text[100000];
    memset(text, 'x', sizeof text - 1);
    Keystore__V1__Increment number = KEYSTORE__V1__INCREMENT__INIT;
    number.delta_case = KEYSTORE__V1__INCREMENT__DELTA_BY_DECIMAL;
    number.by_decimal = text;
    static ProtobufCBinaryData keys[10000];
    Keystore__V1__Keys many = KEYSTORE__V1__KEYS__INIT;
    many.keys = keys;
    many.n_keys = 10000;
    static Keystore__V1__Op op = KEYSTORE__V1__OP__INIT, *ops[1000];
    for (size_t i = 0; i < 1000; i++)
        ops[i] = &op;
    Keystore__V1__TxnRequest txn = KEYSTORE__V1__TXN_REQUEST__INIT;
    txn.success = ops;
    txn.n_success = 1000;
    const struct {
        const ProtobufCMessageDescriptor *descriptor;
        const void *message;
    } cases[] = {{&keystore__v1__increment__descriptor, &number},
                 {&keystore__v1__keys__descriptor, &many},
                 {&keystore__v1__txn_request__descriptor, &txn}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice packed = message_pack(cases[i].message);
        struct arena arena;
        void *decoded;
        arena_init(&arena);
        account_set_limit(64 * 1024);
        assert_int_equal(wire_decode(cases[i].descriptor, packed, &arena, &decoded), ERR_TOO_LARGE);
        assert_int_equal(arena.refusal, ERR_TOO_LARGE);
        assert_true(account_used() <= 32 * 1024);
        account_set_limit(SIZE_MAX);
        arena_reset(&arena);
        assert_int_equal(wire_decode(cases[i].descriptor, packed, &arena, &decoded), ERR_NONE);
        arena_deinit(&arena);
        message_free_packed(packed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_messages_decode_to_the_same),
        cmocka_unit_test(test_damaged_messages_are_refused_alike),
        cmocka_unit_test(test_the_last_of_a_scalar_counts),
        cmocka_unit_test(test_a_message_that_comes_twice_is_merged),
        cmocka_unit_test(test_the_last_of_a_oneof_counts),
        cmocka_unit_test(test_repeated_numbers_packed_and_not),
        cmocka_unit_test(test_unknown_fields_are_skipped),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_long_tags_and_lengths_are_accepted),
        cmocka_unit_test(test_strings_are_copied),
        cmocka_unit_test(test_messages_within_a_message_are_limited),
        cmocka_unit_test(test_written_doubles_are_read_by_protobuf),
        cmocka_unit_test(test_what_is_written_has_the_size_that_was_said),
        cmocka_unit_test(test_what_is_written_is_read_by_protobuf),
        cmocka_unit_test(test_memory_that_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
