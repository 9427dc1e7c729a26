/* Conversations as bytes and as steps. Knows frames, but not their meaning. */
#include "conversation.h"

#include "base/mem.h"

#include <stdlib.h>

void conversation_deinit(struct conversation *conversation)
{
    buf_deinit(&conversation->bytes);
}

void conversation_add(struct conversation *conversation, struct slice bytes)
{
    conversation->bytes.limit = SIZE_MAX;
    if (!buf_append(&conversation->bytes, bytes))
        abort();
}

void conversation_act(struct conversation *conversation, enum action_kind kind)
{
    if (conversation->action_count < MAX_ACTIONS)
        conversation->actions[conversation->action_count++] =
            (struct action){.at = conversation->bytes.len, .kind = kind};
}

bool conversation_frame(const struct conversation *conversation, size_t at, struct frame *frame,
                        size_t *end)
{
    struct slice bytes = slice_skip(buf_slice(&conversation->bytes), at);
    if (bytes.len < FRAME_HEADER_SIZE)
        return false;
    size_t length = frame_read_length(bytes.data);
    if (length > bytes.len - FRAME_HEADER_SIZE)
        length = bytes.len - FRAME_HEADER_SIZE;
    *frame = frame_read(bytes.data, length);
    *end = at + FRAME_HEADER_SIZE + length;
    return true;
}

/* Whether more CONTINUATION frames must follow that one. */
static bool is_open_block(const struct frame *frame)
{
    return (frame->type == FRAME_HEADERS || frame->type == FRAME_CONTINUATION) &&
           (frame->flags & FRAME_END_HEADERS) == 0;
}

static void add_zeros(struct conversation *conversation, size_t count)
{
    static const uint8_t zeros[FRAME_HEADER_SIZE + FRAME_MAX_PAYLOAD];
    conversation_add(conversation, slice_make(zeros, count));
}

static void complete_frame(struct conversation *conversation, size_t at)
{
    size_t left = conversation->bytes.len - at;
    if (left < FRAME_HEADER_SIZE)
        add_zeros(conversation, FRAME_HEADER_SIZE - left);
    size_t length = frame_read_length(conversation->bytes.data + at);
    left = conversation->bytes.len - at - FRAME_HEADER_SIZE;
    if (length <= FRAME_MAX_PAYLOAD && left < length)
        add_zeros(conversation, length - left);
}

static void end_block(struct conversation *conversation, uint32_t stream_id)
{
    uint8_t header[FRAME_HEADER_SIZE];
    frame_write_header(header, 0, FRAME_CONTINUATION, FRAME_END_HEADERS, stream_id);
    conversation_add(conversation, slice_make(header, sizeof header));
}

/* The next step from `at` on. */
static struct step cut_step(struct conversation *conversation, size_t at)
{
    struct step step = {.begin = at};
    complete_frame(conversation, at);
    conversation_frame(conversation, at, &step.first, &step.end);
    step.last = step.first;
    step.block = step.first.payload.len;
    bool open = step.first.type == FRAME_HEADERS && is_open_block(&step.first);
    while (open) {
        if (step.end == conversation->bytes.len)
            end_block(conversation, step.first.stream_id);
        complete_frame(conversation, step.end);
        conversation_frame(conversation, step.end, &step.last, &step.end);
        step.block += step.last.payload.len;
        open = step.last.type == FRAME_CONTINUATION &&
               step.last.stream_id == step.first.stream_id && is_open_block(&step.last);
    }
    return step;
}

/* Payloads lie in the buffer, which no longer moves. */
static void reread(const struct conversation *conversation, struct step *step)
{
    const struct buf *bytes = &conversation->bytes;
    size_t end;
    if (step->is_preface)
        return;
    conversation_frame(conversation, step->begin, &step->first, &end);
    step->last.payload.data = bytes->data + step->end - step->last.payload.len;
}

static void align_actions(struct conversation *conversation, const struct steps *steps)
{
    size_t step = 0;
    for (size_t i = 0; i < conversation->action_count; i++) {
        while (step + 1 < steps->count && steps->items[step].end < conversation->actions[i].at)
            step++;
        conversation->actions[i].at = steps->items[step].end;
    }
}

struct steps conversation_cut(struct conversation *conversation)
{
    struct steps steps = {0};
    size_t capacity = 0;
    size_t at = 0;
    while (at < conversation->bytes.len || steps.count == 0) {
        struct step step = {.is_preface = true, .end = PREFACE_SIZE};
        if (steps.count > 0)
            step = cut_step(conversation, at);
        else if (step.end > conversation->bytes.len)
            step.end = conversation->bytes.len;
        if (steps.count == capacity) {
            capacity = capacity > 0 ? capacity * 2 : 64;
            steps.items = mem_realloc(steps.items, capacity * sizeof *steps.items);
        }
        steps.items[steps.count++] = step;
        at = step.end;
    }
    for (size_t i = 0; i < steps.count; i++)
        reread(conversation, &steps.items[i]);
    align_actions(conversation, &steps);
    return steps;
}

void steps_deinit(struct steps *steps)
{
    free(steps->items);
    *steps = (struct steps){0};
}
