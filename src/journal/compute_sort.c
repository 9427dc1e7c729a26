/*
 * SORT with STORE of a list. If Redis may leave elements in any order, which are those with equal
 * texts under BY and ALPHA, the result is left out.
 */
#include "base/arena.h"
#include "journal/compute_parts.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

struct item {
    struct slice element;
    struct slice text; /* ALPHA: what is compared */
    double score;      /* else */
    bool has_text;
};

struct sort {
    struct compute *compute;
    struct slice by; /* the pattern */
    bool has_by, keep_order, alpha, descending;
    int64_t start, limit; /* LIMIT; a negative limit is none */
    struct slice target;
    bool has_target;
    struct slice *gets; /* patterns of GET */
    size_t get_count;
    struct item *items;
    size_t count;
};

/* ---- arguments ---- */

static bool compute_sort_has_star(struct slice pattern)
{
    return pattern.len > 0 && memchr(pattern.data, '*', pattern.len) != NULL;
}

/* Reads the word at *index and its arguments. */
static bool compute_sort_read_word(struct sort *sort, size_t *index)
{
    struct compute *compute = sort->compute;
    const struct slice *args = compute->command->args;
    size_t i = *index, left = compute->command->count - i - 1;
    if (compute_is_word(compute, i, "ASC")) {
        sort->descending = false;
    } else if (compute_is_word(compute, i, "DESC")) {
        sort->descending = true;
    } else if (compute_is_word(compute, i, "ALPHA")) {
        sort->alpha = true;
    } else if (compute_is_word(compute, i, "LIMIT") && left >= 2) {
        *index += 2;
        return compute_is_number(compute, i + 1, &sort->start) &&
               compute_is_number(compute, i + 2, &sort->limit);
    } else if (compute_is_word(compute, i, "STORE") && left >= 1) {
        sort->target = args[++*index];
        sort->has_target = true;
    } else if (compute_is_word(compute, i, "BY") && left >= 1) {
        sort->by = args[++*index];
        sort->has_by = true;
        sort->keep_order = !compute_sort_has_star(sort->by);
    } else if (compute_is_word(compute, i, "GET") && left >= 1) {
        sort->gets[sort->get_count++] = args[++*index];
    } else {
        return false;
    }
    return true;
}

/* ---- values ---- */

/* The offset of "->" and a field after the star, else the length. */
static size_t compute_sort_find_field(struct slice pattern, size_t star)
{
    for (size_t i = star + 1; i + 2 < pattern.len; i++) {
        if (pattern.data[i] == '-' && pattern.data[i + 1] == '>')
            return i;
    }
    return pattern.len;
}

/* Looks up what the pattern names for the element; false if there is none. */
static bool compute_sort_look_up(struct sort *sort, struct slice pattern, struct slice element,
                                 struct slice *value)
{
    struct compute *compute = sort->compute;
    bool found;
    if (pattern.len == 1 && pattern.data[0] == '#') {
        *value = element;
        return true;
    }
    if (!compute_sort_has_star(pattern))
        return false;
    size_t star = (size_t)((const uint8_t *)memchr(pattern.data, '*', pattern.len) - pattern.data);
    size_t end = compute_sort_find_field(pattern, star);
    size_t len = end - 1 + element.len;
    uint8_t *key = arena_alloc(compute->arena, len + 1);
    uint8_t *out = slice_write(key, slice_make(pattern.data, star));
    out = slice_write(out, element);
    slice_write(out, slice_make(pattern.data + star + 1, end - star - 1));
    if (end < pattern.len) { /* the store has no hashes except left-out ones */
        if (left_out_has(compute->left_out, compute->command->db, slice_make(key, len)))
            compute->unknown = true;
        return false;
    }
    /* A list there counts as nothing. */
    const char *why = compute->why;
    bool read = compute_string(compute, slice_make(key, len), value, &found);
    compute->why = why;
    return read && found;
}

static bool compute_sort_read_items(struct sort *sort)
{
    struct compute *compute = sort->compute;
    struct op op = {.kind = OP_L_RANGE,
                    .db = compute->command->db,
                    .key = compute->command->args[1],
                    .stop = -1};
    struct op_result result = {0};
    compute->unknown = left_out_has(compute->left_out, op.db, op.key);
    if (compute->unknown)
        return true;
    compute->apply(compute->user, &op, &result);
    sort->count = result.value_count;
    sort->items = arena_alloc(compute->arena, (sort->count + 1) * sizeof *sort->items);
    for (size_t i = 0; i < sort->count; i++)
        sort->items[i] = (struct item){.element = arena_copy(compute->arena, result.values[i])};
    compute->why = result.why;
    op_result_release(&result);
    return result.err == ERR_NONE;
}

/* Like Redis, up to the first zero byte. */
static bool compute_sort_read_score(struct compute *compute, struct slice text, double *score)
{
    char *end, *copy = arena_alloc(compute->arena, text.len + 1);
    *slice_write((uint8_t *)copy, text) = '\0';
    errno = 0;
    *score = strtod(copy, &end);
    return *end == '\0' && errno != ERANGE && !isnan(*score);
}

static bool compute_sort_weigh_items(struct sort *sort)
{
    for (size_t i = 0; i < sort->count && !sort->keep_order; i++) {
        struct item *item = &sort->items[i];
        item->text = item->element;
        item->has_text =
            !sort->has_by || compute_sort_look_up(sort, sort->by, item->element, &item->text);
        if (item->has_text && !sort->alpha &&
            !compute_sort_read_score(sort->compute, item->text, &item->score))
            return sort->compute->unknown;
    }
    return true;
}

/* ---- order ---- */

static int compute_sort_compare_texts(struct slice one, struct slice other)
{
    size_t len = one.len < other.len ? one.len : other.len;
    int order = len > 0 ? memcmp(one.data, other.data, len) : 0;
    return order != 0 ? order : (one.len > other.len) - (one.len < other.len);
}

static int compute_sort_compare_scores(const void *a, const void *b)
{
    const struct item *one = a, *other = b;
    if (one->score != other->score)
        return one->score > other->score ? 1 : -1;
    return compute_sort_compare_texts(one->element, other->element);
}

static int compute_sort_compare_alpha(const void *a, const void *b)
{
    const struct item *one = a, *other = b;
    if (!one->has_text || !other->has_text)
        return one->has_text - other->has_text;
    return compute_sort_compare_texts(one->text, other->text);
}

static void compute_sort_reverse(struct sort *sort)
{
    for (size_t i = 0; i < sort->count / 2; i++) {
        struct item item = sort->items[i];
        sort->items[i] = sort->items[sort->count - 1 - i];
        sort->items[sort->count - 1 - i] = item;
    }
}

static void compute_sort_order_items(struct sort *sort)
{
    if (!sort->keep_order && sort->count > 0) {
        qsort(sort->items, sort->count, sizeof *sort->items,
              sort->alpha ? compute_sort_compare_alpha : compute_sort_compare_scores);
        for (size_t i = 1; sort->alpha && i < sort->count; i++) {
            if (compute_sort_compare_alpha(&sort->items[i - 1], &sort->items[i]) == 0 &&
                !slice_equal(sort->items[i - 1].element, sort->items[i].element))
                sort->compute->unknown = true;
        }
    }
    if (sort->descending)
        compute_sort_reverse(sort);
}

/* ---- result ---- */

static bool compute_sort_put_result(struct sort *sort)
{
    struct compute *compute = sort->compute;
    size_t start = sort->start < 0 ? 0 : (size_t)sort->start, count = 0;
    size_t left = start < sort->count ? sort->count - start : 0;
    if (sort->limit >= 0 && (size_t)sort->limit < left)
        left = (size_t)sort->limit;
    size_t each = sort->get_count > 0 ? sort->get_count : 1;
    struct slice *values = arena_alloc(compute->arena, (left * each + 1) * sizeof *values);
    for (size_t i = start; i < start + left; i++) {
        for (size_t j = 0; j < sort->get_count; j++) {
            if (!compute_sort_look_up(sort, sort->gets[j], sort->items[i].element, &values[count]))
                values[count] = slice_make(NULL, 0);
            count++;
        }
        if (sort->get_count == 0)
            values[count++] = sort->items[i].element;
    }
    struct op push = {
        .kind = count > 0 ? OP_R_PUSH : OP_COUNT, .values = values, .value_count = count};
    return compute->unknown || compute_replace(compute, sort->target, &push);
}

enum compute_verdict compute_sort(struct compute *compute)
{
    struct sort sort = {.compute = compute, .limit = -1};
    sort.gets = arena_alloc(compute->arena, compute->command->count * sizeof *sort.gets);
    for (size_t i = 2; i < compute->command->count; i++) {
        if (!compute_sort_read_word(&sort, &i))
            return compute_bad(compute, "it has a word that SORT does not have");
    }
    if (!sort.has_target)
        return COMPUTE_DONE; /* it writes nothing */
    if (!compute_sort_read_items(&sort))
        return COMPUTE_BAD;
    if (!compute->unknown && !compute_sort_weigh_items(&sort))
        return compute_bad(compute, "an element to be sorted by is not a number");
    if (!compute->unknown)
        compute_sort_order_items(&sort);
    if (!compute->unknown && !compute_sort_put_result(&sort))
        return COMPUTE_BAD;
    return compute->unknown ? COMPUTE_LEFT_OUT : COMPUTE_DONE;
}
