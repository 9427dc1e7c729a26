/* Encodes requests once and patches copies. Does not know connections and their limits. */
#include "bench/template.h"

#include "base/check.h"
#include "bench/hpack.h"
#include "bench/message.h"
#include "bench/wire.h"

#define MAX_FIELDS 9
/* Of template_key(): multipliers that spread their product over all bits. */
#define MIX_KEY       UINT64_C(0x9e3779b97f4a7c15)
#define MIX_NUMBER    UINT64_C(0xbf58476d1ce4e5b9)
#define PIPELINE_PATH "/keystore.v1.KeyStore/Pipeline"
/* The load generator accepts answers of any size. */
#define MAX_REPLY "2147483647"

/* The fields of mini_redis.proto that requests use. */
enum { FIELD_OPS = 1 };
enum { FIELD_KEY = 1, FIELD_VALUE = 2, FIELD_START = 2, FIELD_STOP = 3, FIELD_EXPIRE_AT = 4 };

struct field {
    struct slice name;
    struct slice value;
};

static size_t template_make_fields(const struct template_settings *settings, const char *path,
                                   bool takes, struct field *fields)
{
    const struct field all[] = {
        {SLICE_LITERAL(":method"), SLICE_LITERAL("POST")},
        {SLICE_LITERAL(":scheme"), SLICE_LITERAL("http")},
        {SLICE_LITERAL(":path"), slice_from_string(path)},
        {SLICE_LITERAL(":authority"), settings->authority},
        {SLICE_LITERAL("te"), SLICE_LITERAL("trailers")},
        {SLICE_LITERAL("content-type"), SLICE_LITERAL("application/grpc")},
        {SLICE_LITERAL("user-agent"), SLICE_LITERAL("keystore-bench/" KEYSTORE_VERSION)},
    };
    size_t count = sizeof all / sizeof all[0];
    memcpy(fields, all, sizeof all);
    if (takes)
        fields[count++] =
            (struct field){SLICE_LITERAL("keystore-max-reply-bytes"), SLICE_LITERAL(MAX_REPLY)};
    if (settings->authorization.len > 0)
        fields[count++] = (struct field){SLICE_LITERAL("authorization"), settings->authorization};
    CHECK(count <= MAX_FIELDS);
    return count;
}

/* Appends a sint64; zero is omitted. */
static void template_put_sint64(struct buf *out, unsigned field, int64_t number)
{
    if (number == 0)
        return;
    message_put_varint(out, field << 3 | MESSAGE_VARINT);
    message_put_varint(out, (uint64_t)number << 1 ^ (number < 0 ? UINT64_MAX : 0));
}

static void template_put_key(struct template *template, const struct payload *payload)
{
    uint8_t *key = message_put_bytes(&template->message, FIELD_KEY, payload->key_size);
    payload_first_key(payload, op_row(template->op)->is_list, key);
    template->key_at = template->message.len - payload->digits;
}

/* A value to push must be present even if it is empty: LPush without values is an error. */
static void template_put_value(struct template *template, const struct payload *payload)
{
    if (payload->value_size == 0 && !op_row(template->op)->is_list)
        return;
    uint8_t *value = message_put_bytes(&template->message, FIELD_VALUE, payload->value_size);
    memcpy(value, payload->filler, payload->value_size);
    memset(value + payload->digits_at, '0', payload->value_digits);
    template->value_at = template->message.len - payload->value_size + payload->digits_at;
    template->value_len = payload->value_digits;
}

/* The values of a push, at least one, have equal sizes, so that a stride gives the place of
 * each. */
static void template_put_values(struct template *template, const struct template_settings *settings)
{
    size_t count = op_row(template->op)->is_list ? settings->push_values : 1;
    size_t begin = template->message.len;
    size_t put = 0;
    do
        template_put_value(template, settings->payload);
    while (++put < count);
    template->value_count = put;
    template->value_stride = (template->message.len - begin) / put;
    template->value_at -= (put - 1) * template->value_stride;
    DCHECK(template->value_at < template->message.len || template->value_len == 0);
}

/* The number of bytes that message_put_varint() appends. */
static size_t template_varint_size(uint64_t number)
{
    size_t size = 1;
    while (number >>= 7)
        size++;
    return size;
}

/* Repeats the operation's message, which is there, as that of each operation of an OpBatch. */
static void template_make_batch(struct template *template, size_t count)
{
    struct buf request = template->message;
    struct slice bytes = slice_skip(buf_slice(&request), MESSAGE_PREFIX);
    size_t op_size = template_varint_size(op_row(template->op)->field << 3 | MESSAGE_BYTES) +
                     template_varint_size(bytes.len) + bytes.len;
    struct buf *message = &template->message;
    buf_init(message, SIZE_MAX);
    (void)message_begin(message);
    for (size_t i = 0; i < count; i++) {
        message_put_varint(message, FIELD_OPS << 3 | MESSAGE_BYTES);
        message_put_varint(message, op_size);
        uint8_t *to = message_put_bytes(message, op_row(template->op)->field, bytes.len);
        if (bytes.len > 0)
            memcpy(to, bytes.data, bytes.len);
    }
    template->op_count = count;
    template->op_stride = (message->len - MESSAGE_PREFIX) / count;
    size_t head = template->op_stride - bytes.len;
    template->key_at += head;
    template->value_at += head;
    buf_deinit(&request);
}

static void template_make_message(struct template *template,
                                  const struct template_settings *settings)
{
    struct buf *message = &template->message;
    buf_init(message, SIZE_MAX);
    (void)message_begin(message);
    template->op_count = 1;
    template_put_key(template, settings->payload);
    if (op_row(template->op)->sends_value)
        template_put_values(template, settings);
    if (settings->feed == FEED_CONSUME) /* one list, of numbered elements */
        template->key_at = template->value_at;
    if (template->op == OP_SET && settings->expire_at_ms != 0) {
        message_put_varint(message, FIELD_EXPIRE_AT << 3 | MESSAGE_VARINT);
        message_put_varint(message, (uint64_t)settings->expire_at_ms);
    }
    if (template->op == OP_L_RANGE) {
        template_put_sint64(message, FIELD_START, settings->range_start);
        template_put_sint64(message, FIELD_STOP, settings->range_stop);
    }
    if (settings->batch > 0)
        template_make_batch(template, settings->batch);
    message_end(message, 0);
}

/* Encodes the header block of requests to `path`, with the dynamic table unless it is NULL; `takes`
 * as in struct op_row. */
static void template_make_block(struct buf *out, struct hpack *table,
                                const struct template_settings *settings, const char *path,
                                bool takes)
{
    struct field fields[MAX_FIELDS];
    size_t count = template_make_fields(settings, path, takes, fields);
    for (size_t i = 0; i < count; i++) {
        if (table != NULL)
            hpack_put(table, out, fields[i].name, fields[i].value);
        else
            hpack_put_stateless(out, fields[i].name, fields[i].value);
    }
}

static void template_make_op_block(struct buf *out, struct hpack *table,
                                   const struct template_settings *settings, enum op op)
{
    const struct op_row *row = op_row(op);
    const char *path = settings->batch > 0 ? PIPELINE_PATH : row->path;
    template_make_block(out, table, settings, path, row->takes);
}

static void template_put_frame(struct buf *out, enum wire_frame type, uint8_t flags,
                               struct slice payload)
{
    uint8_t *header = buf_reserve(out, WIRE_FRAME_HEADER);
    CHECK(header != NULL);
    wire_put_frame(header, payload.len, type, flags, 0);
    out->len += WIRE_FRAME_HEADER;
    bool fits = buf_append(out, payload);
    CHECK(fits);
}

static void template_make_frames(struct template *template, struct hpack *table,
                                 const struct template_settings *settings)
{
    struct buf block;
    buf_init(&block, WIRE_MAX_FRAME);
    template_make_op_block(&block, table, settings, template->op);
    struct buf *frames = &template->frames;
    buf_init(frames, SIZE_MAX);
    template_put_frame(frames, WIRE_HEADERS, WIRE_FLAG_END_HEADERS, buf_slice(&block));
    template->block_at = WIRE_FRAME_HEADER;
    template->block_len = block.len;
    template->data_at = frames->len;
    template_put_frame(frames, WIRE_DATA, WIRE_FLAG_END_STREAM, buf_slice(&template->message));
    buf_deinit(&block);
}

static void template_make_feed(struct templates *templates,
                               const struct template_settings *settings)
{
    buf_init(&templates->feed_block, WIRE_MAX_FRAME);
    buf_init(&templates->feed_message, WIRE_MAX_FRAME);
    if (settings->feed == FEED_NONE)
        return;
    template_make_block(&templates->feed_block, NULL, settings, feed_row(settings->feed)->path,
                        settings->feed == FEED_CONSUME);
    feed_put_request(&templates->feed_message, settings->feed, settings->payload,
                     settings->in_flight);
}

void templates_init(struct templates *templates, const struct template_settings *settings)
{
    *templates = (struct templates){
        .count = settings->count, .payload = settings->payload, .keyspace = settings->keyspace};
    struct hpack table = {.count = 0};
    for (size_t i = 0; i < settings->count; i++) {
        enum op op = settings->ops[i];
        struct template *template = &templates->of[op];
        templates->ops[i] = op;
        template->op = op;
        template_make_message(template, settings);
        buf_init(&template->first, WIRE_MAX_FRAME);
        template_make_op_block(&template->first, &table, settings, op);
        buf_init(&template->stateless, WIRE_MAX_FRAME);
        template_make_op_block(&template->stateless, NULL, settings, op);
    }
    for (size_t i = 0; i < settings->count; i++)
        template_make_frames(&templates->of[settings->ops[i]], &table, settings);
    templates->table_size = table.size;
    template_make_feed(templates, settings);
}

void templates_deinit(struct templates *templates)
{
    for (size_t i = 0; i < templates->count; i++) {
        struct template *template = &templates->of[templates->ops[i]];
        buf_deinit(&template->first);
        buf_deinit(&template->stateless);
        buf_deinit(&template->message);
        buf_deinit(&template->frames);
    }
    buf_deinit(&templates->feed_block);
    buf_deinit(&templates->feed_message);
    templates->count = 0;
}

uint64_t template_key(const struct templates *templates, uint64_t key, size_t number)
{
    if (number == 0)
        return key;
    uint64_t mixed = (key + 1) * MIX_KEY + number * MIX_NUMBER;
    mixed = (mixed ^ mixed >> 29) * MIX_KEY;
    mixed ^= mixed >> 32;
    return (uint64_t)((unsigned __int128)mixed * templates->keyspace >> 64);
}

void template_put(const struct templates *templates, enum op op, uint64_t key, uint32_t stream,
                  uint8_t *out)
{
    const struct template *template = &templates->of[op];
    const struct payload *payload = templates->payload;
    memcpy(out, template->frames.data, template->frames.len);
    wire_put_u32(out + 5, stream);
    uint8_t *data = out + template->data_at;
    wire_put_u32(data + 5, stream);
    uint8_t *message = data + WIRE_FRAME_HEADER;
    for (size_t n = 0; n < template->op_count; n++, message += template->op_stride) {
        uint8_t *digits = message + template->key_at;
        payload_put_digits(payload, template_key(templates, key, n), digits);
        const uint8_t *last = digits + payload->digits - template->value_len;
        uint8_t *value = message + template->value_at;
        if (template->value_len == 0)
            continue;
        for (size_t i = 0; i < template->value_count; i++, value += template->value_stride)
            memcpy(value, last, template->value_len);
    }
}

/* Writes those bytes of the patch, whose offset in the message is `at`, that are in the part. */
static void template_patch_part(struct slice patch, size_t at, size_t begin, size_t len,
                                uint8_t *out)
{
    size_t from = at > begin ? at : begin;
    size_t to = at + patch.len < begin + len ? at + patch.len : begin + len;
    if (from < to)
        memcpy(out + (from - begin), patch.data + (from - at), to - from);
}

/* Patches the operation that starts so many bytes after the first one, as far as it is in the
 * part. */
static void template_patch_op(const struct templates *templates, const struct template *template,
                              uint64_t key, size_t offset, size_t begin, size_t len, uint8_t *out)
{
    const struct payload *payload = templates->payload;
    uint8_t digits[PAYLOAD_MAX_DIGITS];
    payload_put_digits(payload, key, digits);
    struct slice all = slice_make(digits, payload->digits);
    template_patch_part(all, offset + template->key_at, begin, len, out);
    struct slice last = slice_skip(all, payload->digits - template->value_len);
    size_t at = offset + template->value_at;
    for (size_t i = 0; i < template->value_count; i++, at += template->value_stride)
        template_patch_part(last, at, begin, len, out);
}

void template_put_part(const struct templates *templates, enum op op, uint64_t key, size_t begin,
                       size_t len, uint8_t *out)
{
    const struct template *template = &templates->of[op];
    memcpy(out, template->message.data + begin, len);
    for (size_t n = 0; n < template->op_count; n++)
        template_patch_op(templates, template, template_key(templates, key, n),
                          n * template->op_stride, begin, len, out);
}
