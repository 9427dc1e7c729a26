/* Invalid conversations. */
#include "generate.h"

#include <stdlib.h>

struct piece {
    size_t begin, end;
};

#define MAX_PIECES 2048

static size_t cut_frames(const struct conversation *conversation, struct piece *pieces)
{
    size_t count = 0;
    struct frame frame;
    for (size_t at = PREFACE_SIZE; count < MAX_PIECES;) {
        size_t end;
        if (!conversation_frame(conversation, at, &frame, &end))
            break;
        pieces[count++] = (struct piece){.begin = at, .end = end};
        at = end;
    }
    return count;
}

/* Replaces the bytes from `begin` to `end`. */
static void splice(struct conversation *conversation, size_t begin, size_t end, struct slice with)
{
    struct buf tail;
    buf_init(&tail, SIZE_MAX);
    if (!buf_append(&tail, slice_skip(buf_slice(&conversation->bytes), end)))
        abort();
    conversation->bytes.len = begin;
    conversation_add(conversation, with);
    conversation_add(conversation, buf_slice(&tail));
    buf_deinit(&tail);
}

static void copy_frame(struct conversation *conversation, struct piece from, size_t to)
{
    struct buf copy;
    buf_init(&copy, SIZE_MAX);
    if (!buf_append(&copy,
                    slice_make(conversation->bytes.data + from.begin, from.end - from.begin)))
        abort();
    splice(conversation, to, to, buf_slice(&copy));
    buf_deinit(&copy);
}

/* Mostly one of the first streams, of which `next` is the first unused one. */
static uint32_t random_id(struct dice *dice, uint32_t next)
{
    switch (dice_below(dice, 24)) {
    case 0:
        return 0;
    case 1:
        return dice_below(dice, 40);
    case 2:
        return 1 + 2 * dice_below(dice, 1 << 30);
    case 3:
        return next;
    case 4:
    case 5:
        return 1 + 2 * dice_below(dice, 12);
    default:
        return 1 + 2 * dice_below(dice, next / 2);
    }
}

/* The stream of a frame in the soup. */
static uint32_t soup_id(struct dice *dice, unsigned type, uint32_t *next)
{
    bool of_connection = type == FRAME_SETTINGS || type == FRAME_PING || type == FRAME_GOAWAY ||
                         (type == FRAME_WINDOW_UPDATE && dice_once_in(dice, 3));
    if (of_connection && !dice_once_in(dice, 30))
        return 0;
    if (type != FRAME_HEADERS || dice_once_in(dice, 5))
        return random_id(dice, *next);
    *next += 2;
    return *next - 2;
}

/* A header block that leaves the dynamic table alone. */
static size_t plain_block(struct dice *dice, uint8_t *out)
{
    static const uint8_t request[] = {0x83, 0x86, 0x84, 0x01, 4, 'h', 'e', 'r', 'e'};
    static const uint8_t trailers[] = {0x00, 1, 'x', 1, 'y'};
    static const uint8_t counted[] = {0x83, 0x86, 0x84, 0x01, 4, 'h', 'e',
                                      'r',  'e',  0x0f, 0x0d, 1, '5'};
    const uint8_t *from[] = {request, request, counted, trailers};
    const size_t sizes[] = {sizeof request, sizeof request, sizeof counted, sizeof trailers};
    uint32_t which = dice_below(dice, 4);
    memcpy(out, from[which], sizes[which]);
    return sizes[which];
}

static size_t soup_settings(struct dice *dice, uint8_t *out)
{
    static const uint32_t values[] = {0,          1,          2,         100,      4096,
                                      16383,      16384,      65535,     0xffffff, 0x1000000,
                                      0x7fffffff, 0x80000000, 0xffffffff};
    size_t count = dice_below(dice, dice_once_in(dice, 20) ? 20 : 4);
    for (size_t i = 0; i < count; i++) {
        out[6 * i] = 0;
        out[6 * i + 1] = (uint8_t)dice_below(dice, 11);
        frame_write_u32(out + 6 * i + 2, values[dice_below(dice, sizeof values / sizeof *values)]);
    }
    return 6 * count;
}

/* A payload that mostly suits the type. */
static size_t soup_payload(struct dice *dice, unsigned type, unsigned *flags, uint8_t *out)
{
    static const uint32_t increments[] = {0, 1, 100, 65535, 0x7fffffff, 0x7fff0000, 0x80000001};
    size_t len = 0;
    for (size_t i = 0; i < 64; i++)
        out[i] = (uint8_t)dice_below(dice, 256);
    switch (type) {
    case FRAME_DATA:
        len = dice_below(dice, 12);
        if ((*flags & FRAME_PADDED) != 0 && !dice_once_in(dice, 4))
            out[0] = (uint8_t)(len > 1 ? dice_below(dice, (uint32_t)len) : 0);
        break;
    case FRAME_HEADERS:
    case FRAME_CONTINUATION:
        *flags &= dice_once_in(dice, 8) ? 0xffu : ~(unsigned)(FRAME_PADDED | FRAME_PRIORITIZED);
        len = plain_block(dice, out);
        break;
    case FRAME_PRIORITY:
        len = 5;
        break;
    case FRAME_RST_STREAM:
    case FRAME_WINDOW_UPDATE:
        frame_write_u32(out, increments[dice_below(dice, sizeof increments / sizeof *increments)]);
        len = 4;
        break;
    case FRAME_SETTINGS:
        len = (*flags & FRAME_ACK) != 0 && !dice_once_in(dice, 4) ? 0 : soup_settings(dice, out);
        break;
    case FRAME_PING:
    case FRAME_GOAWAY:
        len = 8 + (type == FRAME_GOAWAY ? dice_below(dice, 10) : 0);
        break;
    default:
        len = dice_below(dice, 60);
        break;
    }
    return dice_once_in(dice, 40) ? dice_below(dice, 24) : len;
}

static void soup_frame(struct dice *dice, struct conversation *conversation, uint32_t *next)
{
    static const uint8_t types[] = {FRAME_DATA,          FRAME_DATA,
                                    FRAME_DATA,          FRAME_HEADERS,
                                    FRAME_HEADERS,       FRAME_HEADERS,
                                    FRAME_HEADERS,       FRAME_PRIORITY,
                                    FRAME_RST_STREAM,    FRAME_SETTINGS,
                                    FRAME_PING,          FRAME_WINDOW_UPDATE,
                                    FRAME_WINDOW_UPDATE, 11};
    uint8_t payload[512];
    unsigned type = types[dice_below(dice, sizeof types)];
    if (dice_once_in(dice, 25))
        type = dice_below(dice, 12);
    unsigned flags = FRAME_END_HEADERS | (dice_once_in(dice, 6) ? FRAME_END_STREAM : 0u);
    if (dice_once_in(dice, 16))
        flags = dice_below(dice, 256);
    if (type == FRAME_SETTINGS || type == FRAME_PING)
        flags &= dice_once_in(dice, 10) ? 0xffu : ~(unsigned)FRAME_ACK;
    size_t len = soup_payload(dice, type, &flags, payload);
    uint32_t id = soup_id(dice, type, next);
    generate_frame(conversation, type, flags, id, slice_make(payload, len));
}

void breakage_soup(struct dice *dice, struct conversation *conversation)
{
    size_t count = 1 + dice_below(dice, 60);
    generate_greeting(conversation);
    uint32_t next = 1;
    uint8_t block[64];
    do { /* streams, so that there is something to hit */
        size_t len = plain_block(dice, block);
        generate_frame(conversation, FRAME_HEADERS, FRAME_END_HEADERS, next,
                       slice_make(block, len));
        next += 2;
    } while (!dice_once_in(dice, 6));
    for (size_t i = 0; i < count; i++) {
        soup_frame(dice, conversation, &next);
        if (dice_once_in(dice, 20))
            conversation_act(conversation, ACTION_ANSWER);
    }
}

void breakage_noise(struct dice *dice, struct conversation *conversation)
{
    size_t count = 1 + dice_below(dice, 300);
    if (dice_once_in(dice, 4))
        conversation_add(conversation, SLICE_LITERAL(PREFACE));
    else if (!dice_once_in(dice, 20))
        generate_greeting(conversation);
    for (size_t i = 0; i < count; i++) {
        /* Small numbers, so that lengths and types mean something. */
        uint8_t byte =
            (uint8_t)(dice_once_in(dice, 3) ? dice_below(dice, 256) : dice_below(dice, 4));
        conversation_add(conversation, slice_make(&byte, 1));
    }
}

static void break_once(struct dice *dice, struct conversation *conversation)
{
    struct piece pieces[MAX_PIECES];
    size_t count = cut_frames(conversation, pieces);
    struct buf *bytes = &conversation->bytes;
    if (count == 0)
        return;
    struct piece piece = pieces[dice_below(dice, (uint32_t)count)];
    struct piece other = pieces[dice_below(dice, (uint32_t)count)];
    uint8_t *header = bytes->data + piece.begin;
    switch (dice_below(dice, 10)) {
    case 0: /* a bit anywhere, the preface included */
        bytes->data[dice_below(dice, (uint32_t)bytes->len)] ^= (uint8_t)(1u << dice_below(dice, 8));
        break;
    case 1:
        bytes->data[piece.begin + dice_below(dice, (uint32_t)(piece.end - piece.begin))] =
            (uint8_t)dice_below(dice, 256);
        break;
    case 2:
        splice(conversation, piece.begin, piece.end, slice_make(NULL, 0));
        break;
    case 3:
        copy_frame(conversation, piece, other.begin);
        break;
    case 4: /* the length, so that payload bytes become frames */
        header[2] = (uint8_t)dice_below(dice, 256);
        header[1] = (uint8_t)(dice_once_in(dice, 8) ? dice_below(dice, 256) : header[1]);
        break;
    case 5:
        header[3] = (uint8_t)dice_below(dice, 12);
        break;
    case 6:
        header[4] ^= (uint8_t)(1u << dice_below(dice, 8));
        break;
    case 7:
        frame_write_u32(header + 5, random_id(dice, 25));
        break;
    case 8: { /* a frame of the soup */
        struct conversation frame = {.seed = 0};
        uint32_t next = 31;
        soup_frame(dice, &frame, &next);
        splice(conversation, piece.begin, piece.begin, buf_slice(&frame.bytes));
        conversation_deinit(&frame);
        break;
    }
    default: /* truncated */
        bytes->len = piece.begin + dice_below(dice, (uint32_t)(piece.end - piece.begin) + 1);
        break;
    }
}

void breakage_apply(struct dice *dice, struct conversation *conversation)
{
    size_t times = 1 + dice_below(dice, 4);
    for (size_t i = 0; i < times; i++)
        break_once(dice, conversation);
}
