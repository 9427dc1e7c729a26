/*
 * Records commits as they are made. A commit gathers where its changes are serialized already,
 * under the lock of the sink that gives the revisions, and is published at its end, under a lock
 * of the history that is held for a moment only. A commit that takes long gathers by itself; until
 * it ends, those after it are in the window, but readers do not get them.
 */
#include "journal/history.h"

#include "base/account.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "journal/log/command.h"
#include "journal/log/resp.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* The caller bounds what a commit holds; this is more than any machine has. */
#define MOST_BYTES (SIZE_MAX / 4)
/* Longer commits are not copied once more at their end. */
#define LARGE_COMMIT ((size_t)16 * 1024)
/* Slots of a new window; a power of two. */
#define FIRST_SLOTS ((size_t)1024)

struct history_commit {
    atomic_size_t holders;
    uint64_t revision;
    struct buf large; /* the changes; else they follow */
    size_t len;
    uint8_t bytes[];
};

/* Precedes each change's command. */
struct history_head {
    size_t size;     /* bytes of the command */
    uint32_t key_at; /* in it is its key; with key_len 0 it has none, or several */
    uint32_t key_len;
    uint32_t db;
    uint8_t cause;   /* of a Delete */
    uint8_t empties; /* of an LMove */
};

/* A commit that does not exclude others (store/change.h). */
struct history_long {
    struct change_sink sink; /* first member: the sink's functions find it by this */
    struct history *history;
    struct change_sink *next;
    uint64_t revision;
    struct buf gathered;
};

struct history {
    struct change_sink sink; /* first member: the sink's functions find the history by it */
    struct change_sink *next;
    size_t limit;
    void (*on_commit)(void *user);
    void *user;

    /* From begin to end: under the lock of `next` or, without one, under `order`. */
    pthread_mutex_t order;
    uint64_t revision; /* of the open commit or, without `next`, of the newest one */
    struct buf gathered;

    pthread_mutex_t lock;          /* for all below */
    struct history_commit **slots; /* that of a revision is at its number mod `slot_count` */
    size_t slot_count;
    uint64_t first;           /* of the window */
    uint64_t last;            /* the newest in the window */
    atomic_uint_fast64_t end; /* readers may have those before this; changed under the lock */
    size_t bytes;
};

/* ---- commits ---- */

static size_t history_memory(const struct history_commit *commit)
{
    return sizeof *commit + sizeof(struct history_commit *) + commit->len +
           (commit->large.data != NULL ? commit->large.cap : 0);
}

static struct history_commit *history_make(uint64_t revision, struct buf *gathered)
{
    bool is_large = gathered->len >= LARGE_COMMIT;
    size_t inner = is_large ? 0 : gathered->len;
    struct history_commit *commit = mem_alloc(sizeof *commit + inner);
    atomic_init(&commit->holders, 1);
    commit->revision = revision;
    commit->len = inner;
    if (inner > 0)
        memcpy(commit->bytes, gathered->data, inner);
    if (is_large) {
        commit->large = *gathered;
        buf_init_for(gathered, MOST_BYTES, ACCOUNT_JOURNAL);
    } else {
        buf_init_for(&commit->large, 0, ACCOUNT_JOURNAL);
        gathered->len = 0;
    }
    return commit;
}

void history_release(struct history_commit *commit)
{
    if (commit == NULL || atomic_fetch_sub(&commit->holders, 1) > 1)
        return;
    buf_deinit(&commit->large);
    free(commit);
}

uint64_t history_revision(const struct history_commit *commit)
{
    return commit->revision;
}

/* In a command with one key, that is the first argument, which four lines precede. */
static void history_find_key(struct slice text, const struct op *change, struct history_head *head)
{
    const uint8_t *at = text.data;
    if (op_info(change->kind)->keys != OP_KEYS_KEY)
        return;
    for (int lines = 0; lines < 4; at++)
        lines += *at == '\n';
    head->key_at = (uint32_t)(at - text.data);
    head->key_len = (uint32_t)change->key.len;
    DCHECK(memcmp(at, change->key.data, change->key.len) == 0);
}

static void history_append(struct buf *gathered, const struct op *change)
{
    size_t at = gathered->len;
    struct history_head head = {.db = change->db};
    if (change->kind == OP_DELETE)
        head.cause = (uint8_t)change->removal.cause;
    if (change->kind == OP_L_MOVE)
        head.empties = change->move.empties;
    bool fits = buf_reserve(gathered, sizeof head) != NULL;
    CHECK(fits); /* MOST_BYTES is more than any machine has */
    gathered->len += sizeof head;
    fits = command_append(gathered, change);
    CHECK(fits);
    head.size = gathered->len - at - sizeof head;
    history_find_key(slice_make(gathered->data + at + sizeof head, head.size), change, &head);
    memcpy(gathered->data + at, &head, sizeof head);
}

/* It is one that command_append() wrote. */
static void history_read(struct slice text, const struct history_head *head, struct arena *arena,
                         struct resp_args *args, struct op *change)
{
    size_t used;
    const char *why;
    args->count = 0;
    enum resp_verdict parsed = resp_parse(text, args, &used);
    CHECK(parsed == RESP_COMMAND && used == text.len);
    struct scan_command command = {.db = head->db, .args = args->items, .count = args->count};
    enum command_verdict read = command_read(&command, arena, change, &why);
    CHECK(read == COMMAND_OP);
    if (change->kind == OP_DELETE)
        change->removal.cause = (enum op_cause)head->cause;
    if (change->kind == OP_L_MOVE)
        change->move.empties = head->empties;
}

static bool history_is_wanted(const struct history_head *head, struct slice text,
                              const struct history_reader *reader)
{
    return reader->wants == NULL || head->key_len == 0 ||
           reader->wants(reader->user, head->db,
                         slice_make(text.data + head->key_at, head->key_len));
}

void history_each_change(const struct history_commit *commit, struct arena *arena,
                         const struct history_reader *reader)
{
    struct slice left = commit->large.data != NULL ? buf_slice(&commit->large)
                                                   : slice_make(commit->bytes, commit->len);
    struct resp_args args = {0};
    while (left.len > 0) {
        struct history_head head;
        struct op change;
        memcpy(&head, left.data, sizeof head);
        left = slice_skip(left, sizeof head);
        struct slice text = slice_make(left.data, head.size);
        if (history_is_wanted(&head, text, reader)) {
            history_read(text, &head, arena, &args, &change);
            reader->on_change(reader->user, &change);
        }
        left = slice_skip(left, head.size);
    }
    resp_args_deinit(&args);
}

/* ---- the window; its lock is held ---- */

static struct history_commit **history_slot(struct history *history, uint64_t revision)
{
    return &history->slots[revision & (history->slot_count - 1)];
}

static void history_grow(struct history *history)
{
    size_t former_count = history->slot_count;
    struct history_commit **former = history->slots;
    history->slot_count *= 2;
    history->slots = mem_alloc_zero(history->slot_count * sizeof *history->slots);
    for (uint64_t each = history->first; each < history->first + former_count; each++)
        *history_slot(history, each) = former[each & (former_count - 1)];
    free(former);
}

static void history_drop(struct history *history, uint64_t revision)
{
    struct history_commit **slot = history_slot(history, revision);
    if (*slot != NULL)
        history->bytes -= history_memory(*slot);
    history_release(*slot);
    *slot = NULL;
}

static void history_restart(struct history *history, uint64_t revision)
{
    for (uint64_t each = history->first; each <= history->last; each++)
        history_drop(history, each);
    history->first = revision + 1;
    history->last = revision;
    atomic_store(&history->end, revision + 1);
    DCHECK(history->bytes == 0);
}

/* If nothing but a commit that is still open prevents more from being dropped, the history starts
 * anew after the newest. */
static void history_trim(struct history *history)
{
    while (history->bytes > history->limit && history->first < history->last) {
        if (history->first >= atomic_load(&history->end)) {
            history_restart(history, history->last);
            return;
        }
        history_drop(history, history->first++);
    }
}

/* Returns whether readers may have more. */
static bool history_publish(struct history *history, struct history_commit *commit)
{
    uint64_t end = atomic_load_explicit(&history->end, memory_order_relaxed), before = end;
    if (commit->revision < history->first) { /* it was open when the history started anew */
        history_release(commit);
        return false;
    }
    if (commit->revision > history->last)
        history->last = commit->revision;
    while (history->last - history->first >= history->slot_count)
        history_grow(history);
    DCHECK(*history_slot(history, commit->revision) == NULL);
    *history_slot(history, commit->revision) = commit;
    history->bytes += history_memory(commit);
    while (end <= history->last && *history_slot(history, end) != NULL)
        end++;
    atomic_store(&history->end, end);
    history_trim(history);
    return end > before;
}

/* ---- the sink ---- */

static bool history_end_commit(struct history *history, uint64_t revision, struct buf *gathered)
{
    struct history_commit *commit = history_make(revision, gathered);
    pthread_mutex_lock(&history->lock);
    bool is_news = history_publish(history, commit);
    pthread_mutex_unlock(&history->lock);
    return is_news;
}

static void history_notify(struct history *history, bool is_news)
{
    if (is_news && history->on_commit != NULL)
        history->on_commit(history->user);
}

static uint64_t history_begin(struct change_sink *sink)
{
    struct history *history = (struct history *)sink;
    if (history->next != NULL)
        return history->revision = history->next->begin(history->next);
    pthread_mutex_lock(&history->order);
    return ++history->revision;
}

static void history_change(struct change_sink *sink, const struct op *change)
{
    struct history *history = (struct history *)sink;
    if (history->next != NULL)
        history->next->change(history->next, change);
    history_append(&history->gathered, change);
}

/* For the log alone. */
static void history_note(struct change_sink *sink, struct slice note)
{
    struct history *history = (struct history *)sink;
    if (history->next != NULL && history->next->note != NULL)
        history->next->note(history->next, note);
}

/* The commit is in the window before it can become durable. */
static void history_end(struct change_sink *sink)
{
    struct history *history = (struct history *)sink;
    bool is_news = history_end_commit(history, history->revision, &history->gathered);
    if (history->next != NULL)
        history->next->end(history->next);
    else
        pthread_mutex_unlock(&history->order);
    history_notify(history, is_news);
}

static void history_abort(struct change_sink *sink)
{
    struct history *history = (struct history *)sink;
    buf_clear(&history->gathered, LARGE_COMMIT);
    if (history->next != NULL) {
        history->next->abort(history->next);
        return;
    }
    history->revision--;
    pthread_mutex_unlock(&history->order);
}

static uint64_t history_long_begin(struct change_sink *sink)
{
    struct history_long *commit = (struct history_long *)sink;
    struct history *history = commit->history;
    if (commit->next != NULL)
        return commit->revision = commit->next->begin(commit->next);
    pthread_mutex_lock(&history->order);
    commit->revision = ++history->revision;
    pthread_mutex_unlock(&history->order);
    return commit->revision;
}

static void history_long_change(struct change_sink *sink, const struct op *change)
{
    struct history_long *commit = (struct history_long *)sink;
    if (commit->next != NULL)
        commit->next->change(commit->next, change);
    history_append(&commit->gathered, change);
}

static void history_long_note(struct change_sink *sink, struct slice note)
{
    struct history_long *commit = (struct history_long *)sink;
    if (commit->next != NULL && commit->next->note != NULL)
        commit->next->note(commit->next, note);
}

static void history_long_end(struct change_sink *sink)
{
    struct history_long *commit = (struct history_long *)sink;
    struct history *history = commit->history;
    bool is_news = history_end_commit(history, commit->revision, &commit->gathered);
    if (commit->next != NULL)
        commit->next->end(commit->next);
    buf_deinit(&commit->gathered);
    free(commit);
    history_notify(history, is_news);
}

/* Others have taken later revisions, so an empty commit stands in its place. */
static void history_long_abort(struct change_sink *sink)
{
    struct history_long *commit = (struct history_long *)sink;
    struct history *history = commit->history;
    commit->gathered.len = 0;
    bool is_news = history_end_commit(history, commit->revision, &commit->gathered);
    if (commit->next != NULL)
        commit->next->abort(commit->next);
    buf_deinit(&commit->gathered);
    free(commit);
    history_notify(history, is_news);
}

static struct change_sink *history_open_long(struct change_sink *sink)
{
    struct history *history = (struct history *)sink;
    struct history_long *commit = mem_alloc_zero(sizeof *commit);
    commit->history = history;
    commit->next = history->next != NULL ? history->next->open(history->next) : NULL;
    commit->sink = (struct change_sink){.begin = history_long_begin,
                                        .change = history_long_change,
                                        .note = history_long_note,
                                        .end = history_long_end,
                                        .abort = history_long_abort};
    buf_init_for(&commit->gathered, MOST_BYTES, ACCOUNT_JOURNAL);
    return &commit->sink;
}

/* ---- life ---- */

struct history *history_new(size_t limit, void (*on_commit)(void *user), void *user)
{
    struct history *history = mem_alloc_zero(sizeof *history);
    history->limit = limit;
    history->on_commit = on_commit;
    history->user = user;
    pthread_mutex_init(&history->order, NULL);
    pthread_mutex_init(&history->lock, NULL);
    buf_init_for(&history->gathered, MOST_BYTES, ACCOUNT_JOURNAL);
    history->slot_count = FIRST_SLOTS;
    history->slots = mem_alloc_zero(FIRST_SLOTS * sizeof *history->slots);
    history->first = 1;
    atomic_init(&history->end, 1);
    return history;
}

void history_free(struct history *history)
{
    if (history == NULL)
        return;
    history_restart(history, history->last);
    free(history->slots);
    buf_deinit(&history->gathered);
    pthread_mutex_destroy(&history->lock);
    pthread_mutex_destroy(&history->order);
    free(history);
}

struct change_sink *history_start(struct history *history, uint64_t revision,
                                  struct change_sink *next)
{
    pthread_mutex_lock(&history->lock);
    history_restart(history, revision);
    pthread_mutex_unlock(&history->lock);
    history->revision = revision;
    history->next = next;
    history->sink =
        (struct change_sink){.begin = history_begin,
                             .change = history_change,
                             .note = history_note,
                             .end = history_end,
                             .abort = history_abort,
                             .open = next == NULL || next->open != NULL ? history_open_long : NULL};
    return &history->sink;
}

struct change_sink *history_next(const struct history *history)
{
    return history->next;
}

/* ---- readers ---- */

uint64_t history_newest(const struct history *history)
{
    return atomic_load(&history->end) - 1;
}

uint64_t history_oldest(struct history *history)
{
    pthread_mutex_lock(&history->lock);
    uint64_t oldest = history->first - 1;
    pthread_mutex_unlock(&history->lock);
    return oldest;
}

size_t history_bytes(struct history *history)
{
    pthread_mutex_lock(&history->lock);
    size_t bytes = history->bytes;
    pthread_mutex_unlock(&history->lock);
    return bytes;
}

bool history_take(struct history *history, uint64_t after, uint64_t upto,
                  struct history_commit **commits, size_t count, size_t *taken)
{
    *taken = 0;
    pthread_mutex_lock(&history->lock);
    bool reaches_back = after + 1 >= history->first;
    uint64_t newest = history_newest(history);
    if (upto > newest)
        upto = newest;
    for (uint64_t each = after + 1; reaches_back && each <= upto && *taken < count; each++) {
        struct history_commit *commit = *history_slot(history, each);
        atomic_fetch_add(&commit->holders, 1);
        commits[(*taken)++] = commit;
    }
    pthread_mutex_unlock(&history->lock);
    return reaches_back;
}
