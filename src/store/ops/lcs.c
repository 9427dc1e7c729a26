/*
 * Lcs: the longest common subsequence of two strings; if there are several, the one that Redis
 * finds.
 *
 * Redis fills a table of LCS(i, j), the length for the first i bytes of one string and the first j
 * of the other, and traces a path back through it from the end: it takes equal bytes; else it drops
 * the last byte of the first string if dropping that of the other would lose a byte, else that of
 * the other. This file finds the same path with less than a bit per cell of the table. Along a row
 * the length grows by 0 or 1 from one cell to the next, so one bit is enough: 0 where it grows. 64
 * cells are a word, and a row is computed from the row above by an addition (Crochemore et al., "A
 * fast and practical bit-vector algorithm for the longest common subsequence problem", 2001).
 *
 * The words are computed in strips: 64 bytes of the other string, with all rows. Of a strip, only
 * the carries of its additions and every 4,096th word are kept; when the path enters a tile of 64
 * by 4,096 cells, its words are computed again. Where the bytes differ, the bit alone decides: if
 * the row grows here, dropping the other string's byte loses one, and dropping the first one's does
 * not.
 */
#include "base/arena.h"
#include "base/blob.h"
#include "base/check.h"
#include "store/data/entry.h"
#include "store/ops/apply.h"

/* Bytes of the other string in a strip. */
#define STRIP ((size_t)64)
/* Bytes of the first string in a tile. */
#define TILE ((size_t)4096)
/* The largest table, in cells: it takes some 0.4 s. */
#define MAX_CELLS ((uint64_t)1 << 34)
/* Words that take as long as a step of apply_may_spend(), and bytes of the path. */
#define STEP_WORDS    ((size_t)32)
#define STEP_BYTES    ((size_t)16)
#define FIRST_MATCHES ((size_t)8)

/* The table, most of which is not kept. */
struct table {
    struct slice one;    /* a row for each byte */
    struct slice other;  /* a cell of the row for each byte */
    size_t carry_words;  /* of a strip */
    size_t tiles;        /* of a strip */
    uint64_t *carries;   /* by strip, a bit for each row: those from the strip before */
    uint64_t *tops;      /* by strip and tile: the word above its first row; NULL: none are kept */
    uint64_t masks[256]; /* where each byte occurs in the current strip */
};

static size_t lcs_strips_of(const struct table *table)
{
    return (table->other.len + STRIP - 1) / STRIP;
}

static struct slice lcs_strip(const struct table *table, size_t strip)
{
    size_t first = strip * STRIP, left = table->other.len - first;
    return slice_make(table->other.data + first, left < STRIP ? left : STRIP);
}

static void lcs_mark(struct table *table, size_t strip)
{
    struct slice bytes = lcs_strip(table, strip);
    for (size_t i = 0; i < bytes.len; i++)
        table->masks[bytes.data[i]] |= (uint64_t)1 << i;
}

static void lcs_unmark(struct table *table, size_t strip)
{
    struct slice bytes = lcs_strip(table, strip);
    for (size_t i = 0; i < bytes.len; i++)
        table->masks[bytes.data[i]] = 0;
}

/* The carries of up to 64 rows into the next strip, from those into this one; `word` is the row
 * above the first of them and becomes the last of them. `rows`, unless NULL, gets all of them. */
static inline uint64_t lcs_add_rows(const struct table *table, struct slice bytes, uint64_t carries,
                                    uint64_t *word, uint64_t *rows)
{
    uint64_t row = *word, out = 0;
    DCHECK(bytes.len <= 64);
    for (size_t i = 0; i < bytes.len; i++) {
        uint64_t equal = row & table->masks[bytes.data[i]], sum;
        bool carry = __builtin_add_overflow(row, equal, &sum);
        carry |= __builtin_add_overflow(sum, carries >> i & 1, &sum);
        out |= (uint64_t)carry << i;
        row = sum | (row - equal); /* equal is a part of row */
        if (rows != NULL)
            rows[i] = row;
    }
    *word = row;
    return out;
}

static struct slice lcs_rows(const struct table *table, size_t first)
{
    size_t left = table->one.len - first;
    return slice_make(table->one.data + first, left < 64 ? left : 64);
}

/* Computes a strip and the carries into the next one. Returns how often its last row grows. */
static size_t lcs_compute_strip(struct table *table, size_t strip)
{
    bool keeps = table->tops != NULL;
    const uint64_t *in = table->carries + (keeps ? strip * table->carry_words : 0);
    uint64_t *out = table->carries + (keeps ? (strip + 1) * table->carry_words : 0);
    uint64_t word = UINT64_MAX;
    lcs_mark(table, strip);
    for (size_t i = 0; i < table->carry_words; i++) {
        if (keeps && i * 64 % TILE == 0)
            table->tops[strip * table->tiles + i * 64 / TILE] = word;
        out[i] = lcs_add_rows(table, lcs_rows(table, i * 64), in[i], &word, NULL);
    }
    lcs_unmark(table, strip);
    return (size_t)__builtin_popcountll(~word);
}

static size_t lcs_compute_table(struct table *table)
{
    size_t length = 0;
    for (size_t strip = 0; strip < lcs_strips_of(table); strip++)
        length += lcs_compute_strip(table, strip);
    DCHECK(length <= table->one.len && length <= table->other.len);
    return length;
}

/* ---- the path ---- */

/* The position of the path. */
struct trace {
    struct op_context *ctx;
    const struct op *op;
    struct op_result *result;
    struct table *table;
    size_t strip, tile; /* whose words are in `rows` */
    uint64_t *rows;     /* TILE of them */
    size_t capacity;    /* of result->matches */
    size_t left;        /* bytes left for matches in the answer */
};

static void lcs_load_tile(struct trace *trace, size_t strip, size_t tile)
{
    struct table *table = trace->table;
    const uint64_t *carries = table->carries + strip * table->carry_words;
    uint64_t word = table->tops[strip * table->tiles + tile];
    if (strip != trace->strip) {
        if (trace->strip != SIZE_MAX)
            lcs_unmark(table, trace->strip);
        lcs_mark(table, strip);
    }
    for (size_t i = 0; i < TILE / 64 && tile * TILE + i * 64 < table->one.len; i++) {
        size_t first = tile * TILE + i * 64;
        lcs_add_rows(table, lcs_rows(table, first), carries[first / 64], &word,
                     trace->rows + i * 64);
    }
    trace->strip = strip;
    trace->tile = tile;
}

/* True if the row after the i-th byte of one string grows at the j-th of the other; both from 1 on.
 */
static inline bool lcs_grows(struct trace *trace, size_t i, size_t j)
{
    size_t strip = (j - 1) / STRIP, tile = (i - 1) / TILE;
    if (strip != trace->strip || tile != trace->tile)
        lcs_load_tile(trace, strip, tile);
    return (trace->rows[(i - 1) % TILE] >> (j - 1) % STRIP & 1) == 0;
}

/* False if the operation has failed. */
static bool lcs_add_match(struct trace *trace, struct op_match match)
{
    struct op_result *result = trace->result;
    if (match.length == 0 || match.length < trace->op->lcs.min_match)
        return true;
    if (trace->left < op_answer_size(sizeof match)) {
        apply_fail(result, ERR_TOO_LARGE,
                   "the matches do not fit into one answer; ask for longer ones with "
                   "min_match_length");
        return false;
    }
    trace->left -= op_answer_size(sizeof match);
    if (result->match_count == trace->capacity) {
        trace->capacity = trace->capacity == 0 ? FIRST_MATCHES : 2 * trace->capacity;
        struct op_match *matches =
            apply_unfold(trace->ctx, trace->capacity * sizeof *matches, result);
        if (matches == NULL)
            return false;
        if (result->match_count > 0)
            memcpy(matches, result->matches, result->match_count * sizeof *matches);
        result->matches = matches;
    }
    result->matches[result->match_count++] = match;
    return true;
}

/* Traces the path from the end. `string`, unless NULL, gets the subsequence of `length` bytes.
 * False if the operation has failed. */
static bool lcs_trace_back(struct trace *trace, uint8_t *string, size_t length)
{
    const struct table *table = trace->table;
    size_t i = table->one.len, j = table->other.len;
    struct op_match match = {0};
    while (i > 0 && j > 0 && length > 0) {
        if (table->one.data[i - 1] == table->other.data[j - 1]) {
            i--;
            j--;
            length--;
            if (string != NULL)
                string[length] = table->one.data[i];
            match = (struct op_match){i, j, match.length + 1};
            continue;
        }
        if (trace->op->lcs.want_matches && !lcs_add_match(trace, match))
            return false;
        match.length = 0;
        if (lcs_grows(trace, i, j))
            i--;
        else
            j--;
    }
    DCHECK(length == 0);
    return !trace->op->lcs.want_matches || lcs_add_match(trace, match);
}

/* ---- the operation ---- */

/* False if there is no memory for the table: the operation has failed. */
static bool lcs_alloc_table(struct op_context *ctx, const struct op *op, struct table *table,
                            struct op_result *result)
{
    bool keeps = op->lcs.want_string || op->lcs.want_matches;
    size_t strips = lcs_strips_of(table);
    table->carry_words = (table->one.len + 63) / 64;
    table->tiles = (table->one.len + TILE - 1) / TILE;
    size_t carries = table->carry_words * (keeps ? strips + 1 : 1);
    size_t tops = keeps ? strips * table->tiles : 0;
    table->carries = apply_unfold(ctx, (carries + tops) * sizeof(uint64_t), result);
    if (table->carries == NULL) {
        if (result->err == ERR_TOO_LARGE)
            result->why = "comparing strings of this length takes more than half of "
                          "--max-client-memory; compare parts of them, or ask for the length alone";
        return false;
    }
    memset(table->carries, 0, table->carry_words * sizeof(uint64_t));
    table->tops = keeps ? table->carries + carries : NULL;
    return true;
}

/* Returns the string's memory, which the result owns; NULL if the operation has failed. */
static uint8_t *lcs_alloc_string(struct op_context *ctx, size_t length, struct op_result *result)
{
    struct op_value *value = &result->value;
    uint8_t *memory;
    if (length >= BLOB_LEAST) {
        if (!apply_lease(ctx, length, result))
            return NULL;
        value->blob = blob_new(length);
        memory = value->blob->data;
    } else {
        memory = arena_alloc(ctx->arena, length);
    }
    value->bytes = slice_make(memory, length);
    value->found = true;
    return memory;
}

/* Adds the string and the matches, if they are wanted. False if the operation has failed. */
static bool lcs_answer(struct op_context *ctx, const struct op *op, struct table *table,
                       size_t length, struct op_result *result)
{
    size_t most = op_most_answer(op);
    uint8_t *string = NULL;
    if (op->lcs.want_string && op_answer_size(length) > most) {
        apply_fail(result, ERR_TOO_LARGE, "the string does not fit into one answer");
        return false;
    }
    if (op->lcs.want_string && (string = lcs_alloc_string(ctx, length, result)) == NULL)
        return false;
    struct trace trace = {.ctx = ctx,
                          .op = op,
                          .result = result,
                          .table = table,
                          .strip = SIZE_MAX,
                          .left = string != NULL ? most - op_answer_size(length) : most};
    trace.rows = apply_unfold(ctx, TILE * sizeof *trace.rows, result);
    return trace.rows != NULL && lcs_trace_back(&trace, string, length);
}

/* An absent key counts as an empty string. False if the operation has failed. */
static bool lcs_find(struct op_context *ctx, uint32_t db, const struct op_key *key,
                     struct slice *string, struct op_result *result)
{
    const struct entry *entry = apply_lookup_read(ctx, db, key->bytes, key->hash).entry;
    if (!apply_require_string(ctx, entry, result))
        return false;
    *string = entry != NULL ? entry_string(entry) : slice_make(NULL, 0);
    return true;
}

/* True if the strings are short enough to compare, and may be compared on this thread. */
static bool lcs_may_compare(struct op_context *ctx, const struct table *table,
                            struct op_result *result)
{
    size_t one = table->one.len, other = table->other.len;
    if (one > 0 && other > MAX_CELLS / one) {
        apply_fail(result, ERR_TOO_LARGE,
                   "the strings are too long to be compared: the product of their lengths may be "
                   "at most 2^34, such as two of 128 KiB");
        return false;
    }
    return apply_may_spend(
        ctx, lcs_strips_of(table) * (one + STRIP) / STEP_WORDS + (one + other) / STEP_BYTES,
        result);
}

void apply_lcs(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    struct op_key key = {.bytes = op->key, .hash = op->hash};
    struct table table = {0};
    if (!lcs_find(ctx, op->db, &key, &table.one, result) ||
        !lcs_find(ctx, op->db, &op->target, &table.other, result) ||
        !lcs_may_compare(ctx, &table, result) || !lcs_alloc_table(ctx, op, &table, result))
        return;
    size_t length = lcs_compute_table(&table);
    bool keeps = table.tops != NULL;
    if (keeps && !lcs_answer(ctx, op, &table, length, result)) {
        struct op_result failed = op_result_error(result);
        op_result_release(result);
        *result = failed;
        return;
    }
    result->ok = length > 0;
    result->length = (int64_t)length;
}
