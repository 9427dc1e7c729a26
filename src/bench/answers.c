/* Decodes header blocks with nghttp2's inflater. Does not know streams. */
#include "bench/answers.h"

#include "base/check.h"

#define GRPC_UNKNOWN     2
#define GRPC_LAST_STATUS 16

void answers_init(struct answers *answers)
{
    *answers = (struct answers){.next = 0};
    if (nghttp2_hd_inflate_new(&answers->inflater) != 0)
        check_out_of_memory(0); /* else it cannot fail */
}

void answers_deinit(struct answers *answers)
{
    nghttp2_hd_inflate_del(answers->inflater);
    answers->inflater = NULL;
}

/* -1 if it is not a number of at most three digits. */
static int16_t answers_parse_status(const nghttp2_nv *field)
{
    int16_t status = 0;
    for (size_t i = 0; i < field->valuelen; i++) {
        if (i == 3 || field->value[i] < '0' || field->value[i] > '9')
            return -1;
        status = (int16_t)(status * 10 + field->value[i] - '0');
    }
    return field->valuelen > 0 ? status : -1;
}

static bool answers_is_named(const nghttp2_nv *field, struct slice name)
{
    return slice_equal(slice_make(field->name, field->namelen), name);
}

static void answers_take_field(const nghttp2_nv *field, struct answer *answer)
{
    if (answers_is_named(field, SLICE_LITERAL(":status"))) {
        answer->http_status = answers_parse_status(field);
    } else if (answers_is_named(field, SLICE_LITERAL("grpc-status"))) {
        int16_t status = answers_parse_status(field);
        answer->grpc_status = status < 0 || status > GRPC_LAST_STATUS ? GRPC_UNKNOWN : status;
    }
}

static bool answers_inflate(struct answers *answers, struct slice block, struct answer *answer)
{
    for (;;) {
        nghttp2_nv field;
        int flags = 0;
        ssize_t used =
            nghttp2_hd_inflate_hd2(answers->inflater, &field, &flags, block.data, block.len, 1);
        if (used < 0)
            return false;
        block = slice_skip(block, (size_t)used);
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
            answers_take_field(&field, answer);
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0)
            return nghttp2_hd_inflate_end_headers(answers->inflater) == 0;
        if (used == 0 && (flags & NGHTTP2_HD_INFLATE_EMIT) == 0)
            return false;
    }
}

/* True if every field is an index below 127, which is one byte: the table is only read. */
static bool answers_is_all_indexed(struct slice block)
{
    for (size_t i = 0; i < block.len; i++)
        if (block.data[i] < 0x81 || block.data[i] == 0xff)
            return false;
    return block.len > 0;
}

static void answers_forget_all(struct answers *answers)
{
    for (size_t i = 0; i < ANSWERS_MEMOS; i++)
        answers->memos[i].len = 0;
}

static void answers_remember(struct answers *answers, struct slice block, struct answer answer)
{
    if (block.len > ANSWERS_MEMO_LEN)
        return;
    unsigned index = answers->next++ % ANSWERS_MEMOS;
    answers->memos[index].len = (uint8_t)block.len;
    memcpy(answers->memos[index].block, block.data, block.len);
    answers->memos[index].answer = answer;
}

bool answers_decode(struct answers *answers, struct slice block, struct answer *answer)
{
    for (size_t i = 0; i < ANSWERS_MEMOS; i++) {
        if (answers->memos[i].len == block.len && block.len > 0 &&
            memcmp(answers->memos[i].block, block.data, block.len) == 0) {
            *answer = answers->memos[i].answer;
            answers->remembered++;
            return true;
        }
    }
    *answer = (struct answer){.http_status = 0, .grpc_status = -1};
    /* Any other block may change the table, and with it the meaning of the cached blocks. */
    bool indexed = answers_is_all_indexed(block);
    if (!indexed)
        answers_forget_all(answers);
    if (!answers_inflate(answers, block, answer))
        return false;
    if (indexed)
        answers_remember(answers, block, *answer);
    return true;
}
