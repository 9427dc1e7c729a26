/* Counts answers by operation and outcome. */
#include "coverage.h"

#include "step.h"

#include <stdatomic.h>
#include <stdio.h>

static struct counts {
    atomic_ulong hits, misses, errors;
    atomic_long longest; /* string in bytes, or list in elements */
} counts[STEP_OP_KINDS];

static bool is_hit(const struct keystore_reply *reply)
{
    switch (reply->kind) {
    case KEYSTORE_REPLY_STATUS:
        return reply->answer.status.ok;
    case KEYSTORE_REPLY_VALUE:
        return reply->answer.value.found;
    case KEYSTORE_REPLY_LIST:
        return reply->answer.list.count > 0;
    case KEYSTORE_REPLY_VALUES:
        return reply->answer.values.count > 0 && reply->answer.values.values[0].found;
    case KEYSTORE_REPLY_INFO:
        return reply->answer.info.found;
    case KEYSTORE_REPLY_POPPED:
        return reply->answer.popped.found;
    case KEYSTORE_REPLY_POSITIONS:
        return reply->answer.positions.count > 0;
    case KEYSTORE_REPLY_BIT_FIELDS:
        return reply->answer.bit_fields.items[0].done;
    case KEYSTORE_REPLY_LCS:
        return reply->answer.lcs.length > 0;
    default:
        return true;
    }
}

static long length_of(const struct keystore_reply *reply)
{
    switch ((int)reply->kind) {
    case KEYSTORE_REPLY_STATUS:
        return (long)reply->answer.status.count;
    case KEYSTORE_REPLY_VALUE:
        return (long)reply->answer.value.value.len;
    case KEYSTORE_REPLY_LIST:
        return (long)reply->answer.list.length;
    case KEYSTORE_REPLY_INFO:
        return (long)reply->answer.info.length;
    case KEYSTORE_REPLY_POPPED:
        return (long)reply->answer.popped.count;
    case KEYSTORE_REPLY_POSITIONS:
        return (long)reply->answer.positions.count;
    case KEYSTORE_REPLY_LCS:
        return (long)reply->answer.lcs.length;
    default:
        return 0;
    }
}

void coverage_note(const struct keystore_op *op, const struct keystore_reply *reply)
{
    struct counts *count = &counts[op->kind];
    bool failed = reply->kind == KEYSTORE_REPLY_ERROR;
    atomic_fetch_add_explicit(failed          ? &count->errors
                              : is_hit(reply) ? &count->hits
                                              : &count->misses,
                              1, memory_order_relaxed);
    long longest = atomic_load_explicit(&count->longest, memory_order_relaxed);
    if (length_of(reply) > longest)
        atomic_store_explicit(&count->longest, length_of(reply), memory_order_relaxed);
}

static bool is_known(size_t kind)
{
    return step_name((enum keystore_op_kind)kind) != NULL;
}

void coverage_print(void)
{
    printf("              hits   misses   errors    longest\n");
    for (size_t i = 0; i < STEP_OP_KINDS; i++)
        if (is_known(i))
            printf("  %-10s %8lu %8lu %8lu %10ld\n", step_name((enum keystore_op_kind)i),
                   counts[i].hits, counts[i].misses, counts[i].errors, counts[i].longest);
}

/* These never say that there is nothing... */
static bool can_miss(size_t kind)
{
    return kind != KEYSTORE_OP_INCR && kind != KEYSTORE_OP_APPEND && kind != KEYSTORE_OP_SETBIT;
}

/* ...and these do not mind what is there. */
static bool can_fail(size_t kind)
{
    switch (kind) {
    case KEYSTORE_OP_EXPIRE:
    case KEYSTORE_OP_MGET:
    case KEYSTORE_OP_EXISTS:
    case KEYSTORE_OP_DESCRIBE:
    case KEYSTORE_OP_DELETE_MANY:
    case KEYSTORE_OP_TOUCH:
    case KEYSTORE_OP_RENAME:
        return false;
    default:
        return true;
    }
}

bool coverage_is_full(void)
{
    bool full = true;
    for (size_t i = 0; i < STEP_OP_KINDS; i++) {
        if (!is_known(i) || (counts[i].hits > 0 && (counts[i].misses > 0 || !can_miss(i)) &&
                             (counts[i].errors > 0 || !can_fail(i))))
            continue;
        printf("%s was not seen in all its ways; change the generator's weights\n",
               step_name((enum keystore_op_kind)i));
        full = false;
    }
    return full;
}
