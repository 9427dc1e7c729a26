/*
 * The cost of reading and writing RDB files, without the store and the disk: the checksum, a
 * million short strings, lists of integers and of short strings. Each time is the least of several
 * rounds, because other work on the machine can only add to it.
 *
 * usage: micro_rdb           all times
 *        micro_rdb FILE      the time to read that file
 */
#include "journal/rdb/block.h"
#include "journal/rdb/crc64.h"
#include "journal/rdb/read.h"
#include "journal/rdb/write.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#define ROUNDS   7
#define KEYS     1000000u
#define ELEMENTS 5000000u

/* Of this thread: time in which others had the processor does not count. */
static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void report(const char *what, double seconds, size_t bytes, size_t things)
{
    printf("%-28s %7.1f ms %8.0f MB/s %7.1f ns each\n", what, seconds * 1e3,
           (double)bytes / seconds / 1e6, seconds / (double)things * 1e9);
}

/* ---- writing ---- */

struct numbers {
    uint32_t next;
    uint32_t count;
    const char *format;
    char text[32];
};

static void restart(void *context)
{
    ((struct numbers *)context)->next = 0;
}

static bool next(void *context, struct slice *element)
{
    struct numbers *numbers = context;
    if (numbers->next == numbers->count)
        return false;
    uint32_t number = numbers->next++ * 2654435761u;
    char *out = numbers->text;
    memcpy(out, numbers->format, 8);
    size_t len = numbers->format[0] == 'e' ? 1 : 0;
    for (uint32_t rest = number % 10000000 + 1000000; rest > 0; rest /= 10)
        out[len++] = (char)('1' + rest % 9);
    *element = slice_make(out, len);
    return true;
}

static bool sink(void *context, struct slice bytes)
{
    return buf_append(context, bytes);
}

enum contents { STRINGS, INTEGERS, TEXTS };

static void write_strings(struct rdb_block *block)
{
    char name[32], value[33] = "0123456789abcdef0123456789abcdef";
    for (uint32_t i = 0; i < KEYS; i++) {
        memcpy(name, "key:000000000000", 16);
        memcpy(name + 8, &i, 4);
        memcpy(value, &i, 4);
        struct rdb_key key = {.name = slice_make(name, 16), .version = KEYS - i};
        rdb_block_string(block, 0, &key, slice_make(value, 32));
    }
}

static void write_list(struct rdb_block *block, const char *format)
{
    struct numbers numbers = {.count = ELEMENTS, .format = format};
    struct rdb_elements elements = {next, restart, &numbers};
    struct rdb_key key = {.name = SLICE_LITERAL("list")};
    rdb_block_list(block, 0, &key, &elements);
}

static void write_file(struct buf *bytes, enum contents contents)
{
    static struct rdb_write file;
    static struct rdb_block block;
    rdb_write_init(&file, (struct rdb_sink){sink, bytes});
    rdb_block_init(&block, KEYS, false, (struct rdb_sink){rdb_write_bytes, &file});
    rdb_write_header(&file, KEYS);
    if (contents == STRINGS)
        write_strings(&block);
    else
        write_list(&block, contents == INTEGERS ? "1-------" : "e-------");
    if (!rdb_block_flush(&block) || !rdb_write_end(&file))
        abort();
    rdb_block_deinit(&block);
}

/* ---- reading ---- */

struct counts {
    size_t things;
    size_t bytes;
};

static bool on_string(void *context, const struct rdb_key *key, struct slice value)
{
    struct counts *counts = context;
    counts->things++;
    counts->bytes += key->name.len + value.len;
    return true;
}

static bool on_elements(void *context, const struct slice *elements, size_t count)
{
    struct counts *counts = context;
    counts->things += count;
    for (size_t i = 0; i < count; i++)
        counts->bytes += elements[i].len;
    return true;
}

static size_t read_file(struct slice bytes)
{
    struct counts counts = {0};
    struct rdb_receiver receiver = {
        .on_string = on_string, .on_list_elements = on_elements, .context = &counts};
    struct rdb_error error;
    size_t size;
    if (!rdb_read(bytes, &receiver, &size, &error)) {
        fprintf(stderr, "offset %zu: %s\n", error.offset, error.reason);
        exit(1);
    }
    return counts.things;
}

static void time_reading(const char *what, struct slice bytes)
{
    double least = 1e9;
    size_t things = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double began = now_s();
        things = read_file(bytes);
        double took = now_s() - began;
        least = took < least ? took : least;
    }
    report(what, least, bytes.len, things > 0 ? things : 1);
}

static void time_contents(enum contents contents, const char *writing, const char *reading)
{
    struct buf bytes;
    double least = 1e9;
    buf_init(&bytes, SIZE_MAX);
    for (int round = 0; round < ROUNDS; round++) {
        buf_clear(&bytes, SIZE_MAX);
        double began = now_s();
        write_file(&bytes, contents);
        double took = now_s() - began;
        least = took < least ? took : least;
    }
    report(writing, least, bytes.len, contents == STRINGS ? KEYS : ELEMENTS);
    time_reading(reading, buf_slice(&bytes));
    buf_deinit(&bytes);
}

static void time_checksum(void)
{
    static uint8_t bytes[16 * 1024 * 1024];
    double least = 1e9;
    uint64_t crc = 1;
    for (int round = 0; round < ROUNDS; round++) {
        double began = now_s();
        crc = crc64_update(crc, slice_make(bytes, sizeof bytes));
        double took = now_s() - began;
        least = took < least ? took : least;
    }
    report(crc != 0 ? "checksum" : "checksum (0)", least, sizeof bytes, 1);
}

static void time_file(const char *path)
{
    struct stat about;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &about) != 0) {
        perror(path);
        exit(1);
    }
    size_t size = (size_t)about.st_size;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) {
        perror(path);
        exit(1);
    }
    time_reading(path, slice_make(bytes, size));
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        time_file(argv[1]);
        return 0;
    }
    time_checksum();
    time_contents(STRINGS, "write 1 M strings", "read 1 M strings");
    time_contents(INTEGERS, "write 5 M integers", "read 5 M integers");
    time_contents(TEXTS, "write 5 M short elements", "read 5 M short elements");
    return 0;
}
