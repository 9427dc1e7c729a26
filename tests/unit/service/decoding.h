/*
 * One request message decoded, as the tests of service/decode*.c look at it. Included after
 * <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_DECODING_H
#define KEYSTORE_TESTS_DECODING_H

#include "service/decode.h"
#include "service/messages.h"

#define DECODING_NOW_MS ((int64_t)1700000000000)

/* How a message of that name is decoded. */
#define DECODER(name) (&(const struct decoder){&keystore__v1__##name##__descriptor, decode_##name})

/* One decoding; the message lasts as long as its operation. */
struct decoding {
    struct arena arena;
    struct slice packed; /* freed with it; may be empty */
    struct op op;
    enum err err;
    const char *why;
};

/* Decodes bytes, which stay the caller's. */
static inline void decoding_begin(struct decoding *decoding, const struct decoder *decoder,
                                  enum op_kind kind, struct slice bytes)
{
    arena_init(&decoding->arena);
    decoding->packed = (struct slice){0};
    decoding->op =
        (struct op){.kind = kind, .now_ms = DECODING_NOW_MS, .max_answer = 11, .max_value = 22};
    decoding->why = NULL;
    decoding->err = decode(decoder, bytes, &decoding->arena, &decoding->op, &decoding->why);
}

/* Decodes the message. */
static inline void decoding_of(struct decoding *decoding, const struct decoder *decoder,
                               enum op_kind kind, const void *message)
{
    struct slice packed = message_pack(message);
    decoding_begin(decoding, decoder, kind, packed);
    decoding->packed = packed;
}

static inline void decoding_end(struct decoding *decoding)
{
    message_free_packed(decoding->packed);
    arena_deinit(&decoding->arena);
}

static inline void assert_decoded(const struct decoding *decoding)
{
    if (decoding->err != ERR_NONE)
        fail_msg("refused: %s", decoding->why);
}

/* Ends it, too. */
static inline void assert_refused(struct decoding *decoding, enum err err, const char *words)
{
    assert_int_equal(decoding->err, err);
    assert_non_null(decoding->why);
    if (strstr(decoding->why, words) == NULL)
        fail_msg("`%s` does not say `%s`", decoding->why, words);
    decoding_end(decoding);
}

static inline void assert_is(struct slice bytes, const char *text)
{
    if (!slice_equal(bytes, slice_from_string(text)))
        fail_msg("`%.*s` is not `%s`", (int)bytes.len, (const char *)bytes.data, text);
}

#endif
