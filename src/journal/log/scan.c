/*
 * Walks a log record by record and judges how it ends. Knows where commands start and end, not what
 * they do; it only interprets SELECT, MULTI and EXEC.
 */
#include "journal/log/scan.h"

#include "base/check.h"
#include "base/mem.h"
#include "journal/log/note.h"

#include <stdlib.h>

#define FIRST_COMMANDS 4
/* Maximum bytes of an annotation, with its newline; Redis refuses to load a longer one. */
#define MOST_ANNOTATION 1023
/* In every line of a batch, also one whose mark is damaged. */
#define BATCH_CHECK " xxh3="

/* Results of reading a record. */
enum outcome {
    RECORD,
    NO_RECORD, /* only commands and lines that belong to a record after them */
    CUT,       /* the text ends within the record */
    BAD,       /* it is not a record */
};

void scan_init(struct scan *scan, struct slice log, uint64_t next)
{
    *scan = (struct scan){.next = next, .log = log, .end = SCAN_RECORD, .before = SCAN_NOTHING};
}

void scan_deinit(struct scan *scan)
{
    resp_args_deinit(&scan->args);
    free(scan->commands);
    *scan = (struct scan){.end = SCAN_CLEAN};
}

static void scan_add_command(struct scan *scan, size_t args)
{
    if (scan->count == scan->capacity) {
        scan->capacity = scan->capacity > 0 ? scan->capacity * 2 : FIRST_COMMANDS;
        scan->commands = mem_realloc(scan->commands, scan->capacity * sizeof *scan->commands);
    }
    scan->commands[scan->count++] = (struct scan_command){.db = scan->db, .count = args};
}

/* Points the commands to their arguments, which are in one array that does not move any more. */
static void scan_place_args(struct scan *scan)
{
    const struct slice *args = scan->args.items;
    for (size_t i = 0; i < scan->count; i++) {
        scan->commands[i].args = args;
        args += scan->commands[i].count;
    }
    DCHECK(args == scan->args.items + scan->args.count);
}

/* Reads the database that a SELECT selects. */
static bool scan_read_db(const struct slice *args, size_t count, uint32_t *db)
{
    if (count != 2 || args[1].len == 0 || args[1].len > 9)
        return false;
    *db = 0;
    for (size_t i = 0; i < args[1].len; i++) {
        uint8_t digit = args[1].data[i];
        if (digit < '0' || digit > '9')
            return false;
        *db = *db * 10 + (uint32_t)(digit - '0');
    }
    return true;
}

/*
 * True if a line starts here that Redis skips: its own annotations and people's comments. The
 * remains of a batch's line are none, so that damage to its mark does not turn its commands into
 * plain ones. A line that is cut by the end of the text counts: Redis would skip or truncate it.
 */
static bool scan_is_annotation(struct slice text)
{
    if (text.len == 0 || text.data[0] != '#' || slice_starts_with(text, SLICE_LITERAL(BATCH_MARK)))
        return false;
    size_t most = text.len < MOST_ANNOTATION ? text.len : MOST_ANNOTATION;
    const uint8_t *end = memchr(text.data, '\n', most);
    size_t len = end != NULL ? (size_t)(end - text.data) : most;
    return memchr(text.data, 0, len) == NULL &&
           memmem(text.data, len, BATCH_CHECK, strlen(BATCH_CHECK)) == NULL;
}

/* Passes a line that starts with '#'. */
static enum outcome scan_skip_annotation(struct slice text, size_t *at)
{
    struct slice rest = slice_skip(text, *at);
    if (!scan_is_annotation(rest))
        return BAD;
    size_t most = rest.len < MOST_ANNOTATION ? rest.len : MOST_ANNOTATION;
    const uint8_t *end = memchr(rest.data, '\n', most);
    if (end == NULL)
        return rest.len < MOST_ANNOTATION ? CUT : BAD;
    *at += (size_t)(end - rest.data) + 1;
    return NO_RECORD;
}

/* Adds the command whose arguments were read last; RECORD if that completes one. */
static enum outcome scan_take_command(struct scan *scan, size_t args, bool *in_transaction)
{
    const struct slice *first = scan->args.items + (scan->args.count - args);
    CHECK(args > 0 && args <= scan->args.count);
    bool lone_word = args == 1;
    if (resp_is_word(first[0], "SELECT")) {
        scan->args.count -= args;
        return scan_read_db(first, args, &scan->db) ? NO_RECORD : BAD;
    }
    if (lone_word && resp_is_word(first[0], "MULTI")) {
        scan->args.count -= args;
        bool nested = *in_transaction;
        *in_transaction = true;
        return nested ? BAD : NO_RECORD;
    }
    if (lone_word && resp_is_word(first[0], "EXEC")) {
        scan->args.count -= args;
        return *in_transaction ? RECORD : BAD;
    }
    scan_add_command(scan, args);
    return *in_transaction ? NO_RECORD : RECORD;
}

/* Reads a command or an annotation. */
static enum outcome scan_read_step(struct scan *scan, struct slice text, size_t *at,
                                   bool *in_transaction)
{
    if (text.data[*at] == '#')
        return scan_skip_annotation(text, at);
    size_t before = scan->args.count;
    size_t used;
    switch (resp_parse(slice_skip(text, *at), &scan->args, &used)) {
    case RESP_MORE:
        return CUT;
    case RESP_ERROR:
        *at += used;
        return BAD;
    default:
        *at += used;
        return scan_take_command(scan, scan->args.count - before, in_transaction);
    }
}

/*
 * Reads the record at *at, before `stop`; *at is then after it, or where the error is. Bytes that
 * are not a command end it with NO_RECORD, unless a command or transaction has started.
 */
static enum outcome scan_read_record(struct scan *scan, size_t stop, size_t *at)
{
    struct slice text = slice_make(scan->log.data, stop);
    bool in_transaction = false;
    scan->count = 0;
    scan->args.count = 0;
    while (*at < stop) {
        if (!in_transaction && text.data[*at] != '*' && !scan_is_annotation(slice_skip(text, *at)))
            return NO_RECORD;
        enum outcome outcome = scan_read_step(scan, text, at, &in_transaction);
        if (outcome != NO_RECORD)
            return outcome;
    }
    return in_transaction ? CUT : NO_RECORD;
}

static enum scan_verdict scan_end_damaged(struct scan *scan, size_t proof, const char *why)
{
    scan->proof = proof;
    scan->why = why;
    return scan->end = SCAN_DAMAGED;
}

static enum scan_verdict scan_end_torn(struct scan *scan, const char *why)
{
    scan->why = why;
    return scan->end = SCAN_TORN;
}

/* Finds a line at or after `from` that says that the revision was durable: its offset; 0 = none. */
static size_t scan_find_proof(const struct scan *scan, size_t from, uint64_t revision)
{
    struct batch later;
    for (; batch_find(scan->log, &from, &later); from++) {
        if (later.synced >= revision)
            return from;
    }
    return 0;
}

/* Judges an incomplete batch of that revision at `offset`; lines at or after `from` may prove that
 * it was durable. */
static enum scan_verdict scan_judge_batch(struct scan *scan, uint64_t revision, size_t from,
                                          const char *why)
{
    size_t proof = from < scan->log.len ? scan_find_proof(scan, from, revision) : 0;
    return proof > 0 ? scan_end_damaged(scan, proof, why) : scan_end_torn(scan, why);
}

/* Batches only follow plain commands that have been read and are durable. */
static enum scan_verdict scan_judge_plain(struct scan *scan, bool cut, const char *why)
{
    size_t proof = scan_find_proof(scan, scan->offset + 1, 0);
    return proof > 0 || !cut ? scan_end_damaged(scan, proof, why) : scan_end_torn(scan, why);
}

/* Like the tail of a file that grew in a crash. */
static bool scan_is_all_zeros(struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.data[i] != 0)
            return false;
    }
    return bytes.len > 0;
}

/* True if the bytes may be a line of which only a prefix, or nothing, reached the disk. */
static bool scan_may_be_torn_line(struct slice bytes)
{
    size_t most = sizeof BATCH_MARK - 1 < bytes.len ? sizeof BATCH_MARK - 1 : bytes.len;
    size_t len = strnlen((const char *)bytes.data, most);
    return memcmp(bytes.data, BATCH_MARK, len) == 0;
}

/* Neither a line nor a command starts here. */
static enum scan_verdict scan_judge_garbage(struct scan *scan)
{
    static const char why[] = "neither a batch nor a command starts here";
    struct slice rest = slice_skip(scan->log, scan->offset);
    bool zeros = rest.data[0] == 0;
    if (scan->before == SCAN_BATCH ||
        (scan->before == SCAN_NOTHING && scan_may_be_torn_line(rest)) ||
        (zeros ? scan_is_all_zeros(rest) : scan_may_be_torn_line(rest)))
        return scan_judge_batch(scan, scan->next, scan->offset + 1, why);
    return scan_judge_plain(scan, false, why);
}

/* Enters the batch at `offset`; SCAN_RECORD if it is good. */
static enum scan_verdict scan_enter_batch(struct scan *scan)
{
    size_t at = scan->offset;
    DCHECK(scan->batch_end == 0);
    struct batch *batch = &scan->batch;
    if (!batch_parse(scan->log, at, batch))
        return scan_judge_batch(scan, scan->next, at + 1,
                                "the line of a batch is cut or its check fails");
    if (scan->next > 0 && batch->seq < scan->next)
        return scan_judge_batch(scan, scan->next, at + 1,
                                "a batch repeats revisions; it is older than its place");
    if (scan->next > 0 && batch->seq > scan->next && batch->synced >= scan->next)
        return scan_end_damaged(scan, at, "revisions are missing that were durable");
    if (batch->synced > scan->synced)
        scan->synced = batch->synced;
    size_t line_end = at + batch->line_size;
    if (batch->len > scan->log.len - line_end)
        return scan_judge_batch(scan, batch->seq, scan->log.len, "the file ends within a batch");
    if (!batch_check(scan->log, at, batch))
        return scan_judge_batch(scan, batch->seq, line_end + (size_t)batch->len,
                                "the check of a batch fails");
    DCHECK(scan->next <= batch->seq);
    scan->next = batch->seq; /* only now: a truncated one does not count */
    scan->before = SCAN_BATCH;
    scan->batch_end = line_end + (size_t)batch->len;
    scan->offset = line_end;
    return SCAN_RECORD;
}

/* The record's commands end at `at`; what is read ends at `stop`. */
static void scan_deliver(struct scan *scan, size_t at, size_t stop, struct scan_record *record)
{
    CHECK(at > scan->offset && at <= stop && stop <= scan->log.len);
    const uint8_t *notes = scan->log.data + at;
    size_t notes_size = note_measure(slice_make(notes, stop - at));
    size_t end = at + notes_size;
    scan_place_args(scan);
    *record = (struct scan_record){.revision = scan->next,
                                   .offset = scan->offset,
                                   .size = end - scan->offset,
                                   .commands = scan->commands,
                                   .count = scan->count,
                                   .notes = slice_make(notes, notes_size)};
    if (scan->next > 0)
        scan->next++;
    scan->offset = end;
}

/* SCAN_RECORD with *found false: the batch has ended. */
static enum scan_verdict scan_next_of_batch(struct scan *scan, struct scan_record *record,
                                            bool *found)
{
    uint64_t end = scan->batch.seq + scan->batch.ops;
    CHECK(scan->offset <= scan->batch_end && scan->next <= end);
    size_t at = scan->offset;
    enum outcome outcome = scan_read_record(scan, scan->batch_end, &at);
    if (outcome == CUT || outcome == BAD || (outcome == NO_RECORD && at < scan->batch_end))
        return scan_end_damaged(scan, 0, "an intact batch holds what is no command");
    if ((outcome == RECORD) != (scan->next < end))
        return scan_end_damaged(scan, 0,
                                "an intact batch has more or fewer records than its line says");
    *found = outcome == RECORD;
    if (*found) {
        scan_deliver(scan, at, scan->batch_end, record);
    } else {
        scan->offset = scan->batch_end;
        scan->batch_end = 0;
    }
    return SCAN_RECORD;
}

/* SCAN_RECORD with *found false: a batch or the end follows. */
static enum scan_verdict scan_next_of_plain(struct scan *scan, struct scan_record *record,
                                            bool *found)
{
    size_t at = scan->offset;
    switch (scan_read_record(scan, scan->log.len, &at)) {
    case CUT:
        return scan_judge_plain(scan, true, "the file ends within a command or transaction");
    case BAD:
        return scan_judge_plain(scan, scan_is_all_zeros(slice_skip(scan->log, at)),
                                "a command is not in Redis' format");
    case RECORD:
        *found = true;
        scan_deliver(scan, at, scan->log.len, record);
        break;
    default:
        scan->offset = at;
        break;
    }
    scan->before = SCAN_PLAIN;
    return SCAN_RECORD;
}

/* One step outside batches. */
static enum scan_verdict scan_next_outside_batch(struct scan *scan, struct scan_record *record,
                                                 bool *found)
{
    struct slice rest = slice_skip(scan->log, scan->offset);
    if (rest.len == 0)
        return scan->end = SCAN_CLEAN;
    if (slice_starts_with(rest, SLICE_LITERAL(BATCH_MARK)))
        return scan_enter_batch(scan);
    if (rest.data[0] == '*' || scan_is_annotation(rest))
        return scan_next_of_plain(scan, record, found);
    return scan_judge_garbage(scan);
}

void scan_extend(struct scan *scan, struct slice log)
{
    DCHECK(log.len >= scan->log.len);
    scan->log = log;
    scan->end = SCAN_RECORD;
}

enum scan_verdict scan_next(struct scan *scan, struct scan_record *record)
{
    bool found = false;
    DCHECK(scan->offset <= scan->log.len);
    while (scan->end == SCAN_RECORD && !found) {
        enum scan_verdict verdict = scan->batch_end > 0
                                        ? scan_next_of_batch(scan, record, &found)
                                        : scan_next_outside_batch(scan, record, &found);
        if (verdict != SCAN_RECORD)
            return verdict;
    }
    return scan->end;
}
