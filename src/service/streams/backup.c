/*
 * The stream waits for one thing at a time: the snapshot, a job that opens the file or reads a
 * page, or room for that page. If it ends during a job, the job's end frees it.
 */
#include "service/streams/backup.h"

#include "base/account.h"
#include "base/arena.h"
#include "base/blob.h"
#include "base/chain.h"
#include "base/check.h"
#include "base/container.h"
#include "base/mem.h"
#include "grpc/message.h"
#include "grpc/server.h"
#include "service/decode_op.h"
#include "service/streams/host.h"
#include "service/wire.h"

#include <stdlib.h>

/* Fields of BackupPage. */
enum { PAGE_DATA = 1, PAGE_OFFSET, PAGE_SIZE };

static const char backup_stops[] =
    "the server, or this connection, is shutting down; the backup is not complete";
static const char backup_truncated[] = "the snapshot's file has become shorter while it was read";

struct backup {
    struct engine_task task; /* the snapshot; first: on_done finds the backup by it */
    struct offload_job job;
    struct stream_host *host;
    struct grpc_call *call; /* NULL once it has ended, with a job under way */
    struct engine_snapshot *snapshot;
    struct blob *page; /* read and not yet written; NULL if there is none */
    size_t page_size;
    uint64_t offset, size; /* of the page in the file, and of the file */
    const char *why;       /* the job has failed */
    bool requested, saving, working;
};

/* ---- life ---- */

static void backup_free(struct backup *backup)
{
    DCHECK(!backup->saving && !backup->working);
    if (backup->snapshot != NULL)
        backup->host->engine->close_snapshot(backup->snapshot);
    blob_release(backup->page);
    free(backup);
}

/* The call has ended: frees the backup, now or when its job is done. */
static void backup_abandon(struct backup *backup)
{
    if (backup->saving)
        engine_cancel(backup->host->engine, &backup->task);
    backup->saving = false;
    backup->call = NULL;
    if (!backup->working)
        backup_free(backup);
}

static void backup_end(struct backup *backup, enum err err, const char *why)
{
    struct grpc_call *call = backup->call;
    backup_abandon(backup);
    stream_end(call, err, why);
}

/* ---- on another thread ---- */

static void backup_read_page(struct backup *backup)
{
    uint64_t left = backup->size - backup->offset;
    size_t size = left < BACKUP_PAGE ? (size_t)left : BACKUP_PAGE;
    struct engine *engine = backup->host->engine;
    backup->page = blob_try_new(size);
    if (backup->page == NULL) {
        backup->why = account_starved;
        return;
    }
    ssize_t got = engine->read_snapshot(backup->snapshot, backup->offset, backup->page->data, size,
                                        &backup->why);
    if (got >= 0 && (size_t)got < size)
        backup->why = backup_truncated;
    backup->page_size = size;
}

static struct backup *backup_of(struct offload_job *job)
{
    return CONTAINER_OF(job, struct backup, job);
}

static void backup_run(struct offload_job *job)
{
    struct backup *backup = backup_of(job);
    struct engine *engine = backup->host->engine;
    if (backup->snapshot == NULL)
        backup->snapshot = engine->open_snapshot(engine, &backup->size, &backup->why);
    if (backup->snapshot != NULL)
        backup_read_page(backup);
}

/* ---- the stream ---- */

static void backup_finish_job(struct offload_job *job)
{
    struct backup *backup = backup_of(job);
    backup->working = false;
    if (backup->call == NULL)
        backup_free(backup);
    else if (backup->why != NULL)
        backup_end(backup, ERR_NOT_DURABLE, backup->why);
    else
        grpc_stream_ready(backup->call);
}

static void backup_work(struct backup *backup)
{
    struct stream_host *host = backup->host;
    backup->working = true;
    if (host->offload == NULL) {
        backup_run(&backup->job);
        backup_finish_job(&backup->job);
        return;
    }
    stream_offload(host, &backup->job, backup_run, backup_finish_job);
}

static void backup_on_saved(struct engine_task *task)
{
    struct backup *backup = (struct backup *)task;
    struct op_result result = task->result;
    backup->saving = false;
    if (result.err != ERR_NONE)
        backup_end(backup, result.err, result.why);
    else
        backup_work(backup);
}

static void backup_on_open(void *user, struct grpc_call *call)
{
    struct backup *backup = mem_alloc_zero(sizeof *backup);
    backup->host = stream_host_of(user);
    backup->call = call;
    backup->task.on_done = backup_on_saved;
    backup->task.worker = backup->host->worker;
    grpc_call_set_user(call, backup);
}

static void backup_begin(struct backup *backup)
{
    backup->requested = backup->saving = true;
    if (engine_save(backup->host->engine, &backup->task, true) == ENGINE_DONE)
        backup_on_saved(&backup->task);
}

static void backup_on_message(void *user, struct grpc_call *call, struct slice message)
{
    struct backup *backup = grpc_call_user(call);
    struct arena arena;
    void *decoded;
    const char *why = STREAM_SECOND_MESSAGE;
    enum err err = ERR_NOT_SERVED;
    (void)user;
    arena_init(&arena);
    if (!backup->requested)
        err = decode_message(&keystore__v1__backup_request__descriptor, message, &arena, &decoded,
                             &why);
    if (err == ERR_NONE)
        backup_begin(backup);
    else
        backup_end(backup, err, why);
    arena_deinit(&arena);
}

static void backup_on_half_close(void *user, struct grpc_call *call)
{
    struct backup *backup = grpc_call_user(call);
    (void)user;
    if (!backup->requested)
        backup_end(backup, ERR_NOT_SERVED, STREAM_NO_MESSAGE);
}

static void backup_write_page(struct backup *backup)
{
    uint64_t offset = backup->offset;
    size_t head = wire_head_size(backup->page_size);
    size_t tail = wire_number_size(offset) + wire_number_size(backup->size);
    struct chain *to = grpc_stream_write(backup->call, head + backup->page_size + tail);
    wire_write_head(chain_append(to, head), PAGE_DATA, backup->page_size);
    chain_append_blob(to, backup->page, slice_make(backup->page->data, backup->page_size));
    uint8_t *out = wire_write_number(chain_append(to, tail), PAGE_OFFSET, offset);
    wire_write_number(out, PAGE_SIZE, backup->size);
    backup->offset += backup->page_size;
    backup->page = NULL;
}

static void backup_on_room(void *user, struct grpc_call *call, size_t room)
{
    struct backup *backup = grpc_call_user(call);
    (void)user;
    (void)room;
    if (backup->working || backup->page == NULL)
        return;
    backup_write_page(backup);
    if (backup->offset == backup->size)
        backup_end(backup, ERR_NONE, NULL);
    else
        backup_work(backup);
}

static void backup_on_drain(void *user, struct grpc_call *call)
{
    (void)user;
    backup_end(grpc_call_user(call), ERR_STOPPING, backup_stops);
}

static void backup_on_cancel(void *user, struct grpc_call *call)
{
    (void)user;
    backup_abandon(grpc_call_user(call));
}

const struct grpc_stream_method backup_method = {
    .on_open = backup_on_open,
    .on_message = backup_on_message,
    .on_half_close = backup_on_half_close,
    .on_room = backup_on_room,
    .on_drain = backup_on_drain,
    .on_cancel = backup_on_cancel,
};
