/* Incr, on strings that contain a number. */
#include "base/decimal.h"
#include "base/real.h"
#include "store/data/entry.h"
#include "store/ops/apply.h"

#include <math.h>
#include <stdlib.h>

/* An existing key keeps its deadline; a new one gets the operation's. */
static int64_t increment_deadline_of(const struct lookup *at, const struct op *op)
{
    return at->entry != NULL ? entry_expire_at_ms(at->entry) : op->expire_at_ms;
}

/* Puts the number's text into the answer and stores it; false if it would expire immediately and
 * so is not stored. */
static bool increment_put(struct op_context *ctx, struct lookup *at, const struct op *op,
                          struct slice text, struct op_result *result)
{
    int64_t expire_at_ms = increment_deadline_of(at, op);
    result->ok = true;
    apply_return_bytes(ctx, text, NULL, &result->value);
    if (apply_is_due(ctx, expire_at_ms))
        return false;
    apply_put_string(ctx, at, text, expire_at_ms);
    result->version = ctx->revision;
    return true;
}

/* ---- integers ---- */

static void increment_emit_integer(struct op_context *ctx, const struct op *op, bool is_new)
{
    apply_change(ctx, op);
    if (!is_new || op->expire_at_ms == 0)
        return;
    struct op expire = {.kind = OP_EXPIRE,
                        .db = op->db,
                        .key = op->key,
                        .hash = op->hash,
                        .expire_at_ms = op->expire_at_ms};
    apply_change(ctx, &expire);
}

static void increment_add_integer(struct op_context *ctx, const struct op *op, struct lookup *at,
                                  struct op_result *result)
{
    bool is_new = at->entry == NULL;
    int64_t number = 0;
    if (!is_new && !decimal_parse(entry_string(at->entry), &number)) {
        apply_fail(result, ERR_NOT_A_NUMBER,
                   "the string is not an integer of 64 bits in plain decimal digits");
        return;
    }
    if (__builtin_add_overflow(number, op->incr.by, &number)) {
        apply_fail(result, ERR_OUT_OF_RANGE,
                   "the sum would overflow; it must fit into a signed integer of 64 bits");
        return;
    }
    uint8_t digits[DECIMAL_MAX];
    if (increment_put(ctx, at, op, decimal_write(number, digits), result))
        increment_emit_integer(ctx, op, is_new);
    result->integer = number;
    result->real = (double)number;
}

/* ---- reals ---- */

/* Emits the sum itself: adding again might give other digits on another machine. */
static void increment_emit_real(struct op_context *ctx, const struct op *op, struct slice text,
                                bool is_new)
{
    struct op set = {.kind = OP_SET,
                     .db = op->db,
                     .key = op->key,
                     .hash = op->hash,
                     .value = text,
                     .expire_at_ms = is_new ? op->expire_at_ms : 0,
                     .set.keep_ttl = !is_new};
    apply_change(ctx, &set);
}

/* Answers with the number as stored: its text is rounded. */
static void increment_answer_real(const char *text, struct op_result *result)
{
    long double number = strtold(text, NULL);
    result->real = strtod(text, NULL);
    const long double least = (long double)INT64_MIN;
    if (number >= least && number < -least)
        result->integer = (int64_t)number;
}

static void increment_add_real(struct op_context *ctx, const struct op *op, struct lookup *at,
                               struct op_result *result)
{
    bool is_new = at->entry == NULL;
    long double number = 0;
    if (!is_new && !real_parse(entry_string(at->entry), &number)) {
        apply_fail(result, ERR_NOT_A_NUMBER,
                   "the string is not a real number such as 0.5 or 5.0e3");
        return;
    }
    number += *op->incr.by_real;
    if (!isfinite(number)) {
        apply_fail(result, ERR_OUT_OF_RANGE,
                   "the sum would not be a finite number; add a smaller, finite one");
        return;
    }
    char out[REAL_SIZE];
    struct slice text = real_write(out, number);
    if (increment_put(ctx, at, op, text, result))
        increment_emit_real(ctx, op, text, is_new);
    increment_answer_real((const char *)text.data, result);
}

void apply_incr(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct lookup at = apply_lookup_write_key(ctx, op);
    if (!apply_require_string(ctx, at.entry, result))
        return;
    if (op->incr.is_real)
        increment_add_real(ctx, op, &at, result);
    else
        increment_add_integer(ctx, op, &at, result);
}
