/*
 * The cost and throughput of the log. First the time that a commit takes on the writer's thread,
 * and that of encoding its change alone. Then, with a number of commits in flight, each followed by
 * another when it is durable: commits per second, the mean time of a sync, and the share of the
 * maximum, which is commits in flight / time of a sync.
 *
 * usage: micro_log DIRECTORY     where files are created and removed, on the disk to measure
 */
#include "journal/fs/posix.h"
#include "journal/log/command.h"
#include "journal/log/wal.h"
#include "journal/log/wal_file.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define UNITS   1000000u
#define ROUNDS  5
#define SECONDS 2.0
#define FOLDER  "micro-log"

struct bench {
    struct fs *fs;
    struct durable durable;
    struct wal *log;
    pthread_mutex_t mutex;
    pthread_cond_t progress;
};

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void must(int error, const char *what)
{
    if (error == 0)
        return;
    fprintf(stderr, "micro_log: %s: %s\n", what, strerror(-error));
    exit(1);
}

static void on_progress(void *user)
{
    struct bench *bench = user;
    pthread_mutex_lock(&bench->mutex);
    pthread_cond_signal(&bench->progress);
    pthread_mutex_unlock(&bench->mutex);
}

static void start(struct bench *bench, enum wal_sync sync)
{
    struct fs_file *file;
    bench->durable.on_progress = on_progress;
    bench->durable.user = bench;
    must(fs_mkdir(bench->fs, FOLDER), FOLDER);
    must(wal_file_create(bench->fs, FOLDER, "log", &file), FOLDER "/log");
    must(wal_new(
             &(struct wal_options){
                 .fs = bench->fs, .folder = FOLDER, .durable = &bench->durable, .sync = sync},
             file, &bench->log),
         "the log");
}

static void stop(struct bench *bench, const char *directory)
{
    char path[4096];
    if (!wal_free(bench->log))
        exit(1);
    must(fs_unlink(bench->fs, FOLDER "/log"), FOLDER "/log");
    snprintf(path, sizeof path, "%s/" FOLDER, directory);
    if (rmdir(path) != 0)
        perror(path);
}

/* A Set of a 16-byte key and a 32-byte value. */
static const struct op unit = {.kind = OP_SET,
                               .key = {(const uint8_t *)"key:000000000042", 16},
                               .value = {(const uint8_t *)"0123456789abcdef0123456789abcdef", 32}};

static uint64_t write_unit(struct wal *log)
{
    struct change_sink *sink = wal_sink(log);
    uint64_t revision = sink->begin(sink);
    sink->change(sink, &unit);
    sink->end(sink);
    return revision;
}

/* ---- what a writer pays ---- */

static double encode_seconds(void)
{
    struct buf out;
    buf_init(&out, (size_t)1024 * 1024);
    double start_s = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    for (unsigned i = 0; i < UNITS; i++)
        if (!command_append(&out, &unit))
            buf_clear(&out, SIZE_MAX);
    double end_s = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    buf_deinit(&out);
    return end_s - start_s;
}

static double write_seconds(struct bench *bench, const char *directory)
{
    start(bench, WAL_EVERY_SECOND);
    double start_s = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    for (unsigned i = 0; i < UNITS; i++)
        write_unit(bench->log);
    double end_s = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    stop(bench, directory);
    return end_s - start_s;
}

static void measure_writer(struct bench *bench, const char *directory)
{
    double encode_s = 1e9, write_s = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double seconds = encode_seconds();
        encode_s = seconds < encode_s ? seconds : encode_s;
        seconds = write_seconds(bench, directory);
        write_s = seconds < write_s ? seconds : write_s;
    }
    printf("CPU time of a writer per unit: %.1f ns, of which encoding %.1f ns\n",
           write_s / UNITS * 1e9, encode_s / UNITS * 1e9);
}

/* ---- what the disk gives ---- */

/* Waits for a unit to become durable. */
static void wait_beyond(struct bench *bench, uint64_t revision)
{
    pthread_mutex_lock(&bench->mutex);
    while (atomic_load(&bench->durable.revision) <= revision &&
           atomic_load(&bench->durable.read_only_reason) == NULL)
        pthread_cond_wait(&bench->progress, &bench->mutex);
    pthread_mutex_unlock(&bench->mutex);
    if (atomic_load(&bench->durable.read_only_reason) != NULL)
        exit(1);
}

static void measure_disk(struct bench *bench, const char *directory, unsigned in_flight)
{
    start(bench, WAL_ALWAYS);
    uint64_t written = 0, durable = 0, waits = 0;
    int64_t sync_us = 0; /* of the newest sync after each wait */
    double start_s = seconds_of(CLOCK_MONOTONIC), took_s;
    do {
        while (written < durable + in_flight)
            written = write_unit(bench->log);
        wait_beyond(bench, durable);
        durable = atomic_load(&bench->durable.revision);
        sync_us += wal_stats(bench->log).last_sync_us;
        waits++;
        took_s = seconds_of(CLOCK_MONOTONIC) - start_s;
    } while (took_s < SECONDS);
    struct wal_stats stats = wal_stats(bench->log);
    double sync_s = (double)sync_us * 1e-6 / (double)waits;
    double rate = (double)durable / took_s;
    printf("%6u in flight: %9.0f units/s, %5.0f a batch, sync %7.0f us, share %3.0f %%\n",
           in_flight, rate, (double)stats.records / (double)stats.batches, sync_s * 1e6,
           rate * sync_s / in_flight * 100);
    stop(bench, directory);
}

int main(int argc, char **argv)
{
    struct bench bench = {0};
    if (argc != 2) {
        fprintf(stderr, "usage: micro_log DIRECTORY\n");
        return 2;
    }
    must(fs_posix_open(argv[1], &bench.fs), argv[1]);
    pthread_mutex_init(&bench.mutex, NULL);
    pthread_cond_init(&bench.progress, NULL);
    measure_writer(&bench, argv[1]);
    for (unsigned in_flight = 1; in_flight <= 10000; in_flight *= 10)
        measure_disk(&bench, argv[1], in_flight);
    fs_close_directory(bench.fs);
    return 0;
}
