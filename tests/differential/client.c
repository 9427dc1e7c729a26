/*
 * A client with many streams that does everything a client may do, in random order. It reads no
 * answers, so it cannot know which of its streams the server has closed early.
 */
#include "generate.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#define MAX_OPEN    24
#define MAX_FIELDS  24
#define MAX_BLOCK   ((size_t)100000)
#define COUNT(list) (sizeof(list) / sizeof(list)[0])

struct client_stream {
    uint32_t id; /* 0 = unused */
    int64_t content_left;
};

struct fields_list {
    struct {
        const char *name;
        struct slice value;
    } items[MAX_FIELDS];
    size_t count;
};

struct announced {
    struct fields_list list;
    int64_t content_left; /* -1 = not said */
    bool end;             /* no body */
};

/* A field in the dynamic table. */
struct entry {
    const char *name;
    char value[24];
    size_t len;
};

#define MAX_ENTRIES 120

struct client {
    struct dice *dice;
    struct conversation *conversation;
    bool wild;
    uint32_t tameness; /* of a wild one: every how many requests one is wild */
    bool plain;        /* no deflater, which never indexes a path: all that can be indexed is */
    struct entry table[MAX_ENTRIES];
    size_t entry_count, table_bytes, table_size;
    nghttp2_hd_deflater *deflater;
    struct announced recent[3]; /* requests that are likely to repeat */
    uint32_t next_id;
    struct client_stream streams[MAX_OPEN];
    bool settings_acked;
    int64_t window_granted;
};

static const uint8_t filler[] =
    "Lorem ipsum dolor sit amet, consetetur sadipscing elitr, sed diam nonumy eirmod tempor "
    "invidunt ut labore et dolore magna aliquyam erat, sed diam voluptua. At vero eos et accusam";

static struct slice some_filler(struct dice *dice, size_t most)
{
    size_t len = dice_below(dice, (uint32_t)(most < sizeof filler ? most : sizeof filler - 1));
    return slice_make(filler + dice_below(dice, (uint32_t)(sizeof filler - len)), len);
}

/* Header fields. */

static void add_field(struct fields_list *list, const char *name, struct slice value)
{
    if (list->count == MAX_FIELDS)
        return;
    list->items[list->count].name = name;
    list->items[list->count++].value = value;
}

static void add(struct fields_list *list, const char *name, const char *value)
{
    add_field(list, name, slice_from_string(value));
}

static const char *pick(struct dice *dice, const char *const *list, size_t count)
{
    return list[dice_below(dice, (uint32_t)count)];
}

#define PICK(dice, list) pick(dice, list, COUNT(list))

static void add_regular(struct client *client, struct fields_list *list)
{
    static const char *const names[] = {"user-agent", "grpc-timeout", "x-a",
                                        "x-b",        "accept",       "cookie",
                                        "x-bin-",     "priority",     "authorization"};
    size_t count = dice_below(client->dice, 4);
    for (size_t i = 0; i < count; i++)
        add_field(list, PICK(client->dice, names), SLICE_LITERAL("1S"));
    while (dice_once_in(client->dice, 6)) {
        struct slice value = some_filler(client->dice, dice_once_in(client->dice, 4) ? 150 : 20);
        while (value.len > 0 && value.data[0] == ' ')
            value = slice_skip(value, 1);
        while (value.len > 0 && value.data[value.len - 1] == ' ')
            value.len--;
        add_field(list, PICK(client->dice, names), value);
    }
}

/* Few different ones, so that whole blocks repeat. */
static void make_request(struct client *client, struct fields_list *list)
{
    static const char *const paths[] = {"/store/Get", "/store/Set", "/store/Delete"};
    struct dice *dice = client->dice;
    if (dice_once_in(dice, 24)) {
        add(list, ":method", "CONNECT");
        add(list, ":authority", "there:80");
    } else if (dice_once_in(dice, 24)) {
        add(list, ":method", "OPTIONS");
        add(list, ":scheme", "http");
        add(list, ":path", "*");
        add(list, "host", "here");
    } else {
        add(list, ":method", dice_once_in(dice, 10) ? "GET" : "POST");
        add(list, ":scheme", dice_once_in(dice, 10) ? "https" : "http");
        add(list, ":path", PICK(dice, paths));
        if (!dice_once_in(dice, 12))
            add(list, ":authority", "here");
        else
            add(list, "host", "here");
    }
    add(list, "content-type", "application/grpc");
    add(list, "te", "trailers");
    if (dice_once_in(dice, 3))
        add_regular(client, list);
}

static const char *const wild_names[] = {
    ":method",
    ":path",
    ":scheme",
    ":authority",
    ":protocol",
    ":status",
    ":",
    ":Path",
    "host",
    "te",
    "content-length",
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
    "X-Upper",
    "x space",
    "x\x7f",
    "x\xc3\xa4",
    "",
    "x:y",
    "priority",
    "x-fine",
    "x_fine",
    "content-length",
    "x(y)",
    "cookie",
    "accept-encoding",
    "x\n",
};
static const char *const wild_values[] = {
    "",
    " ",
    "x",
    " x",
    "x ",
    "\tx",
    "x\t",
    "x\ry",
    "x\ny",
    "x\x01y",
    "x\x7f",
    "\xc3\xa4",
    "trailers",
    "Trailers",
    "gzip",
    "0",
    "1",
    "5",
    "005",
    "-1",
    "+1",
    "5 ",
    "99999999999999999999",
    "http",
    "HTTPS",
    "1http",
    "ht_tp",
    "ftp",
    "coap+tcp",
    "*",
    "/",
    "/a b",
    "x/y",
    "/\x80",
    "a:80",
    "user@h",
    "a b",
    "[::1]:80",
    "CONNECT",
    "OPTIONS",
    "GET",
    "G T",
    "G\xc3",
    "u=3, i",
    "u=99",
    "9223372036854775807",
    "9223372036854775808",
};

/* Changes one or two fields of a valid list. */
static void make_wild(struct client *client, struct fields_list *list)
{
    struct dice *dice = client->dice;
    size_t times = 1 + dice_below(dice, 3);
    for (size_t i = 0; i < times && list->count > 1; i++) {
        size_t at = dice_below(dice, (uint32_t)list->count);
        size_t other = dice_below(dice, (uint32_t)list->count);
        struct slice value = slice_from_string(PICK(dice, wild_values));
        switch (dice_below(dice, 6)) {
        case 0:
            list->items[at] = list->items[--list->count];
            break;
        case 1:
            add_field(list, list->items[at].name, list->items[at].value);
            break;
        case 2:
            add_field(list, PICK(dice, wild_names), value);
            break;
        case 3:
            list->items[at].value = value;
            break;
        case 4:
            list->items[at].name = PICK(dice, wild_names);
            break;
        default: {
            const char *name = list->items[at].name;
            value = list->items[at].value;
            list->items[at] = list->items[other];
            list->items[other].name = name;
            list->items[other].value = value;
            break;
        }
        }
    }
}

/* About as large as the limit of the server in this test (16 KiB), or larger; never for a valid
 * client. */
static void make_large(struct client *client, struct fields_list *list)
{
    static uint8_t large[17000];
    size_t sum = 0;
    memset(large, 'x', sizeof large);
    for (size_t i = 0; i < list->count; i++)
        sum += strlen(list->items[i].name) + list->items[i].value.len + 32;
    size_t left = 16384 - 32 - strlen("x-large") - (sum < 10000 ? sum : 10000);
    add_field(list, "x-large", slice_make(large, left - 1 + dice_below(client->dice, 3)));
    for (size_t i = dice_below(client->dice, 4); i > 0; i--)
        add_field(list, "x-large", slice_make(large, sizeof large));
}

/* Header blocks. */

static size_t put_integer(uint8_t *out, unsigned pattern, unsigned bits, size_t number)
{
    size_t limit = ((size_t)1 << bits) - 1;
    size_t len = 0;
    if (number < limit) {
        out[len++] = (uint8_t)(pattern | number);
        return len;
    }
    out[len++] = (uint8_t)(pattern | limit);
    for (number -= limit; number >= 128; number >>= 7)
        out[len++] = (uint8_t)(number | 128);
    out[len++] = (uint8_t)number;
    return len;
}

static size_t put_string(uint8_t *out, struct slice text)
{
    size_t len = put_integer(out, 0, 7, text.len);
    memcpy(out + len, text.data, text.len);
    return len + text.len;
}

/* The static table's index of a whole field, or 0. */
static unsigned static_index(const char *name, struct slice value)
{
    static const struct {
        const char *name, *value;
        unsigned index;
    } known[] = {{":method", "GET", 2},  {":method", "POST", 3},  {":path", "/", 4},
                 {":scheme", "http", 6}, {":scheme", "https", 7}, {":status", "200", 8}};
    for (size_t i = 0; i < COUNT(known); i++) {
        if (strcmp(known[i].name, name) == 0 &&
            slice_equal(value, slice_from_string(known[i].value)))
            return known[i].index;
    }
    return 0;
}

/* The index of a whole field in either table, or 0. */
static size_t find_index(const struct client *client, const char *name, struct slice value)
{
    for (size_t i = client->entry_count; i-- > 0;) {
        const struct entry *entry = &client->table[i];
        if (strcmp(entry->name, name) == 0 &&
            slice_equal(slice_make(entry->value, entry->len), value))
            return 61 + client->entry_count - i;
    }
    return static_index(name, value);
}

/* True if the field was added to the table, which never evicts for a valid client. */
static bool insert(struct client *client, const char *name, struct slice value)
{
    struct entry *entry = &client->table[client->entry_count];
    size_t size = strlen(name) + value.len + 32;
    if (client->entry_count == MAX_ENTRIES || value.len > sizeof entry->value ||
        client->table_bytes + size > client->table_size)
        return false;
    entry->name = name;
    entry->len = value.len;
    memcpy(entry->value, value.data, value.len);
    client->entry_count++;
    client->table_bytes += size;
    return true;
}

static size_t put_plain_field(struct client *client, uint8_t *out, const char *name,
                              struct slice value)
{
    static const struct {
        unsigned pattern, bits;
    } kinds[] = {{0x00, 4}, {0x10, 4}, {0x40, 6}};
    size_t index = find_index(client, name, value);
    if (index != 0 && !dice_once_in(client->dice, 50))
        return put_integer(out, 0x80, 7, index);
    unsigned kind = dice_once_in(client->dice, 8) ? dice_below(client->dice, 2) : 2;
    if (kind == 2 && !insert(client, name, value))
        kind = 0;
    size_t len = put_integer(out, kinds[kind].pattern, kinds[kind].bits, 0);
    len += put_string(out + len, slice_from_string(name));
    return len + put_string(out + len, value);
}

static size_t put_plain(struct client *client, const struct fields_list *list, uint8_t *out)
{
    size_t len = 0;
    struct dice *dice = client->dice;
    if (dice_once_in(dice, 40)) {
        client->table_size = dice_once_in(dice, 2) ? 4096 : 300;
        client->entry_count = 0;
        client->table_bytes = 0;
        len += put_integer(out + len, 0x20, 5, 0);
        len += put_integer(out + len, 0x20, 5, client->table_size);
    }
    for (size_t i = 0; i < list->count; i++)
        len += put_plain_field(client, out + len, list->items[i].name, list->items[i].value);
    while (client->wild && client->entry_count > 0 && dice_once_in(dice, 8))
        len += put_integer(out + len, 0x80, 7,
                           62 + dice_below(dice, (uint32_t)client->entry_count +
                                                     (dice_once_in(dice, 20) ? 2 : 0)));
    return len;
}

static size_t put_deflated(struct client *client, const struct fields_list *list, uint8_t *out)
{
    nghttp2_nv nv[MAX_FIELDS];
    bool secret = dice_once_in(client->dice, 6);
    if (dice_once_in(client->dice, 16))
        nghttp2_hd_deflate_change_table_size(client->deflater, dice_below(client->dice, 4097));
    for (size_t i = 0; i < list->count; i++)
        nv[i] =
            (nghttp2_nv){.name = (uint8_t *)list->items[i].name,
                         .namelen = strlen(list->items[i].name),
                         .value = (uint8_t *)list->items[i].value.data,
                         .valuelen = list->items[i].value.len,
                         .flags = secret && dice_once_in(client->dice, 3) ? NGHTTP2_NV_FLAG_NO_INDEX
                                                                          : NGHTTP2_NV_FLAG_NONE};
    ssize_t len = nghttp2_hd_deflate_hd(client->deflater, out, MAX_BLOCK, nv, list->count);
    if (len < 0)
        abort();
    return (size_t)len;
}

/* Frames. */

/* Pads the payload; returns the flag for it. */
static unsigned pad(struct client *client, struct slice payload, struct buf *padded, unsigned room)
{
    uint8_t len = dice_once_in(client->dice, 5) ? (uint8_t)dice_below(client->dice, room) : 0;
    bool flagged = len > 0 || dice_once_in(client->dice, 20);
    static const uint8_t zeros[256];
    buf_clear(padded, SIZE_MAX);
    if (flagged && !buf_append(padded, slice_make(&len, 1)))
        abort();
    if (!buf_append(padded, payload) || !buf_append(padded, slice_make(zeros, len)))
        abort();
    return flagged ? FRAME_PADDED : 0;
}

/* Sometimes a flag that is undefined for all frame types. */
static unsigned odd_flag(struct client *client)
{
    return dice_once_in(client->dice, 30) ? 0x40 : 0;
}

static void send_block(struct client *client, uint32_t id, struct slice block, bool end)
{
    struct dice *dice = client->dice;
    struct buf payload;
    buf_init(&payload, SIZE_MAX);
    size_t pieces = dice_once_in(dice, 5) ? 1 + dice_below(dice, 8) : 0;
    size_t first = pieces > 0 ? dice_below(dice, (uint32_t)block.len + 1) : block.len;
    if (first > 16000)
        first = 16000;
    unsigned flags = end ? FRAME_END_STREAM : 0;
    static const uint8_t priority[] = {0x80, 0, 0, 0, 15};
    uint8_t text[16384];
    size_t len = 0;
    if (dice_once_in(dice, 8)) {
        flags |= FRAME_PRIORITIZED;
        memcpy(text, priority, sizeof priority);
        if (client->wild && dice_once_in(dice, 20)) /* depends on itself */
            frame_write_u32(text, id);
        len = sizeof priority;
    }
    memcpy(text + len, block.data, first);
    flags |= pad(client, slice_make(text, len + first), &payload, 200) | odd_flag(client);
    block = slice_skip(block, first);
    if (pieces == 0 && block.len == 0)
        flags |= FRAME_END_HEADERS;
    generate_frame(client->conversation, FRAME_HEADERS, flags, id, buf_slice(&payload));
    while ((flags & FRAME_END_HEADERS) == 0) {
        size_t size = pieces > 1 ? dice_below(dice, (uint32_t)block.len + 1) : block.len;
        pieces = pieces > 1 ? pieces - 1 : 0;
        if (size > FRAME_MAX_PAYLOAD)
            size = FRAME_MAX_PAYLOAD;
        flags = pieces == 0 && size == block.len ? FRAME_END_HEADERS : 0;
        generate_frame(client->conversation, FRAME_CONTINUATION, flags | odd_flag(client), id,
                       slice_make(block.data, size));
        block = slice_skip(block, size);
    }
    buf_deinit(&payload);
}

static void send_fields(struct client *client, uint32_t id, const struct fields_list *list,
                        bool end)
{
    uint8_t *block = malloc(MAX_BLOCK);
    size_t len = client->plain ? put_plain(client, list, block) : put_deflated(client, list, block);
    send_block(client, id, slice_make(block, len), end);
    free(block);
}

static struct client_stream *some_stream(struct client *client, bool used)
{
    size_t start = dice_below(client->dice, MAX_OPEN);
    for (size_t i = 0; i < MAX_OPEN; i++) {
        struct client_stream *stream = &client->streams[(start + i) % MAX_OPEN];
        if ((stream->id != 0) == used)
            return stream;
    }
    return NULL;
}

static const struct {
    int64_t number;
    const char *text;
} lengths[] = {{0, "0"}, {5, "5"}, {100, "100"}, {1000, "1000"}};

/* A request and how much body it announces. */
static void make_announced(struct client *client, struct announced *request)
{
    struct dice *dice = client->dice;
    *request = (struct announced){.content_left = -1, .end = dice_once_in(dice, 4)};
    make_request(client, &request->list);
    if (dice_once_in(dice, 3)) {
        bool right = request->end && !(client->wild && dice_once_in(dice, 3));
        size_t which = right ? 0 : dice_below(dice, COUNT(lengths));
        add(&request->list, "content-length", lengths[which].text);
        if (!slice_equal(request->list.items[0].value, SLICE_LITERAL("CONNECT")))
            request->content_left = lengths[which].number;
    }
    if (client->wild && dice_once_in(dice, client->tameness))
        make_wild(client, &request->list);
    if (client->wild && dice_once_in(dice, 40))
        make_large(client, &request->list);
}

static void begin_stream(struct client *client)
{
    struct client_stream *stream = some_stream(client, false);
    struct dice *dice = client->dice;
    if (stream == NULL)
        return;
    if (dice_once_in(dice, 30))
        client->next_id += 2 * dice_below(dice, 100);
    struct announced *request = &client->recent[dice_below(dice, COUNT(client->recent))];
    if (request->list.count == 0 || dice_once_in(dice, 3))
        make_announced(client, request);
    *stream = (struct client_stream){.id = client->next_id, .content_left = request->content_left};
    client->next_id += 2;
    send_fields(client, stream->id, &request->list, request->end);
    if (request->end)
        stream->id = 0;
}

static void send_trailers(struct client *client, struct client_stream *stream)
{
    struct fields_list list = {.count = 0};
    if (stream->content_left > 0)
        return;
    add(&list, "x-checksum", "12345");
    add_regular(client, &list);
    if (client->wild)
        make_wild(client, &list);
    send_fields(client, stream->id, &list, !client->wild || !dice_once_in(client->dice, 8));
    stream->id = 0;
}

static void send_data(struct client *client)
{
    struct client_stream *stream = some_stream(client, true);
    struct dice *dice = client->dice;
    struct buf payload;
    uint8_t bytes[16384];
    if (stream == NULL)
        return;
    if (dice_once_in(dice, 12)) {
        send_trailers(client, stream);
        return;
    }
    bool end = dice_once_in(dice, 2);
    size_t size = dice_below(dice, dice_once_in(dice, 10) ? 16100 : 200);
    if (stream->content_left >= 0 && (end || (int64_t)size > stream->content_left))
        size = (size_t)stream->content_left;
    if (stream->content_left >= 0)
        stream->content_left -= (int64_t)size;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i + stream->id);
    if (client->wild && stream->content_left >= 0 && dice_once_in(dice, 4) && size < 16000)
        size += dice_below(dice, 2);
    buf_init(&payload, SIZE_MAX);
    unsigned flags = pad(client, slice_make(bytes, size), &payload, 256) | odd_flag(client);
    generate_frame(client->conversation, FRAME_DATA, flags | (end ? FRAME_END_STREAM : 0u),
                   stream->id, buf_slice(&payload));
    buf_deinit(&payload);
    if (end)
        stream->id = 0;
}

static void send_u32(struct client *client, enum frame_type type, uint32_t id, uint32_t number)
{
    uint8_t payload[4];
    frame_write_u32(payload, number);
    generate_frame(client->conversation, type, odd_flag(client), id, slice_make(payload, 4));
}

static void send_window_update(struct client *client)
{
    uint32_t by = 1 + dice_below(client->dice, dice_once_in(client->dice, 3) ? 200000 : 2000);
    uint32_t id = dice_once_in(client->dice, 2) || client->next_id == 1
                      ? 0
                      : 1 + 2 * dice_below(client->dice, client->next_id / 2);
    send_u32(client, FRAME_WINDOW_UPDATE, id, by);
}

static void send_settings(struct client *client)
{
    static const uint32_t windows[] = {0, 1, 10, 1000, 20000, 65535, 1000000};
    static const uint32_t tables[] = {0, 30, 60, 100, 200, 4096, 65536};
    struct dice *dice = client->dice;
    uint8_t payload[6 * 4];
    size_t count = dice_below(dice, 4);
    for (size_t i = 0; i < count; i++) {
        uint32_t id = 1 + dice_below(dice, 6);
        uint32_t value = id == SETTING_HEADER_TABLE_SIZE ? tables[dice_below(dice, COUNT(tables))]
                         : id == SETTING_INITIAL_WINDOW_SIZE
                             ? windows[dice_below(dice, COUNT(windows))]
                         : id == SETTING_MAX_FRAME_SIZE ? 16384 + dice_below(dice, 100000)
                                                        : dice_below(dice, 2);
        if (dice_once_in(dice, 8))
            id = 0x100 + dice_below(dice, 50);
        payload[6 * i] = (uint8_t)(id >> 8);
        payload[6 * i + 1] = (uint8_t)id;
        frame_write_u32(payload + 6 * i + 2, value);
    }
    generate_frame(client->conversation, FRAME_SETTINGS, 0, 0, slice_make(payload, 6 * count));
}

static void reset_stream(struct client *client)
{
    struct client_stream *stream = some_stream(client, true);
    uint32_t id = stream != NULL && !dice_once_in(client->dice, 3) ? stream->id
                  : client->next_id > 1 ? 1 + 2 * dice_below(client->dice, client->next_id / 2)
                                        : 0;
    for (size_t i = 0; i < MAX_OPEN; i++) {
        if (client->streams[i].id == id)
            client->streams[i].id = 0;
    }
    if (id != 0)
        send_u32(client, FRAME_RST_STREAM, id, dice_below(client->dice, 14));
}

static void send_odd_frame(struct client *client)
{
    static const uint8_t bytes[300];
    struct dice *dice = client->dice;
    uint32_t id = dice_below(dice, client->next_id + 4);
    switch (dice_below(dice, 4)) {
    case 0:
        generate_frame(client->conversation, FRAME_PING, 0, 0, slice_make(filler + id % 50, 8));
        break;
    case 1:
        generate_frame(client->conversation, FRAME_PRIORITY, 0, id | 1, slice_make(bytes, 5));
        break;
    case 2:
        generate_frame(client->conversation, 10 + dice_below(dice, 246), dice_below(dice, 256), id,
                       slice_make(bytes, dice_below(dice, sizeof bytes)));
        break;
    default:
        if (!client->settings_acked)
            generate_frame(client->conversation, FRAME_SETTINGS, FRAME_ACK, 0, slice_make(NULL, 0));
        client->settings_acked = true;
        break;
    }
}

static void act(struct client *client)
{
    uint32_t number = dice_below(client->dice, 100);
    if (number < 35)
        begin_stream(client);
    else if (number < 75)
        send_data(client);
    else if (number < 80)
        send_window_update(client);
    else if (number < 83)
        send_settings(client);
    else if (number < 88)
        reset_stream(client);
    else if (number < 95)
        send_odd_frame(client);
    else
        conversation_act(client->conversation, ACTION_ANSWER);
}

/* A client with large windows, as most have; with small ones, answers are often blocked. */
static void widen_windows(struct client *client)
{
    static const uint8_t wide[] = {0, SETTING_INITIAL_WINDOW_SIZE, 0, 0x40, 0, 0};
    generate_frame(client->conversation, FRAME_SETTINGS, 0, 0, slice_make(wide, sizeof wide));
    send_u32(client, FRAME_WINDOW_UPDATE, 0, 1 << 28);
}

void client_talk(struct dice *dice, struct conversation *conversation, bool wild_fields)
{
    struct client client = {
        .dice = dice, .conversation = conversation, .wild = wild_fields, .next_id = 1};
    size_t frames = 1 + dice_below(dice, dice_once_in(dice, 10) ? 400 : 60);
    bool drains = dice_once_in(dice, 12);
    client.plain = dice_once_in(dice, 2);
    client.table_size = 4096;
    client.tameness = dice_once_in(dice, 2) ? 1 : 8;
    if (nghttp2_hd_deflate_new(&client.deflater, 4096) != 0)
        abort();
    if (dice_once_in(dice, 2)) {
        generate_greeting(conversation);
    } else {
        conversation_add(conversation, SLICE_LITERAL(PREFACE));
        send_settings(&client);
    }
    if (!dice_once_in(dice, 3))
        widen_windows(&client);
    for (size_t i = 0; i < frames; i++) {
        act(&client);
        if (drains && dice_once_in(dice, 20)) {
            conversation_act(conversation, ACTION_DRAIN);
            if (dice_once_in(dice, 2))
                generate_frame(conversation, FRAME_PING, FRAME_ACK, 0, slice_make("drain\0\0", 8));
        }
    }
    if (dice_once_in(dice, 12)) {
        static const uint8_t goaway[8];
        generate_frame(conversation, FRAME_GOAWAY, 0, 0, slice_make(goaway, sizeof goaway));
        while (!dice_once_in(dice, 10))
            act(&client);
    }
    nghttp2_hd_deflate_del(client.deflater);
}
