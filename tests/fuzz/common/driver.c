/*
 * main() of a fuzz target without libFuzzer, for script/test: passes each file of a corpus to the
 * target, and then random mutations of them until that much processor time is used up. The inputs
 * depend on the seed alone.
 *
 * A child process does the work and leaves each input in memory that it shares, so that its parent
 * has the input which ended it, whatever that was, and writes it to a file.
 */
#include "common/mutate.h"
#include "common/target.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST_INPUTS 4096
/* Bytes of a mutated input, and of one of the corpus. */
#define MOST_BYTES ((size_t)4096)
#define MOST_FILE  ((size_t)65536)

/* The input that is tried. */
struct driver_tried {
    size_t size;
    uint8_t bytes[MOST_FILE];
};

struct driver {
    struct slice inputs[MOST_INPUTS]; /* owned */
    size_t count;
    struct driver_tried *tried; /* shared with the child */
};

static void driver_give_up(const char *what, const char *path) __attribute__((noreturn));

static void driver_give_up(const char *what, const char *path)
{
    fprintf(stderr, "fuzz: cannot %s %s: %s\n", what, path, strerror(errno));
    exit(2);
}

static void driver_add(struct driver *driver, const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat about;
    if (file == NULL || fstat(fileno(file), &about) != 0)
        driver_give_up("read", path);
    size_t size = (size_t)about.st_size;
    CHECK(size <= MOST_FILE);
    uint8_t *bytes = malloc(size + 1);
    if (bytes == NULL || fread(bytes, 1, size, file) != size)
        driver_give_up("read", path);
    fclose(file);
    CHECK(driver->count < MOST_INPUTS);
    driver->inputs[driver->count++] = slice_make(bytes, size);
}

static int driver_is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* A file, or the files of a folder in the order of their names. */
static void driver_read(struct driver *driver, const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, driver_is_visible, alphasort);
    if (count < 0 && errno == ENOTDIR) {
        driver_add(driver, path);
        return;
    }
    if (count < 0)
        driver_give_up("read", path);
    for (int i = 0; i < count; i++) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        driver_add(driver, name);
        free(entries[i]);
    }
    free(entries);
}

static void driver_try(struct driver *driver, struct slice input)
{
    uint8_t *copy = target_copy(input);
    driver->tried->size = input.len;
    memcpy(driver->tried->bytes, copy, input.len);
    LLVMFuzzerTestOneInput(copy, input.len);
    free(copy);
}

static void driver_try_all(struct driver *driver, uint64_t seed, long cpu_ms)
{
    uint64_t tried = 0;
    for (size_t i = 0; i < driver->count; i++)
        driver_try(driver, driver->inputs[i]);
    while (driver->count > 0 && clock() / (CLOCKS_PER_SEC / 1000) < cpu_ms) {
        struct dice dice = dice_of(seed, tried++);
        uint8_t input[MOST_BYTES];
        struct slice from = driver->inputs[dice_below(&dice, (uint32_t)driver->count)];
        struct slice other = driver->inputs[dice_below(&dice, (uint32_t)driver->count)];
        size_t len = from.len < MOST_BYTES ? from.len : MOST_BYTES;
        if (len > 0)
            memcpy(input, from.data, len);
        len = mutate(&dice, input, len, MOST_BYTES, other);
        driver_try(driver, slice_make(input, len));
    }
    printf("fuzz: %zu inputs of the corpus and %" PRIu64 " mutations of them\n", driver->count,
           tried);
    for (size_t i = 0; i < driver->count; i++)
        free((void *)driver->inputs[i].data);
}

/* Writes the input that was tried last, and says how to replay it. */
static void driver_report(const struct driver *driver, int status, const char *program)
{
    char path[4096];
    snprintf(path, sizeof path, "%s.%ld.input", program, (long)getpid());
    FILE *file = fopen(path, "wb");
    if (file == NULL ||
        fwrite(driver->tried->bytes, 1, driver->tried->size, file) != driver->tried->size ||
        fclose(file) != 0)
        driver_give_up("write", path);
    if (WIFSIGNALED(status))
        fprintf(stderr, "fuzz: %s\n", strsignal(WTERMSIG(status)));
    fprintf(stderr, "fuzz: the last input is in %s; to replay it: %s --cpu-ms 0 %s\n", path,
            program, path);
}

/* Runs the child; true if it came to its end. */
static bool driver_run(struct driver *driver, uint64_t seed, long cpu_ms, const char *program)
{
    int status;
    driver->tried = mmap(NULL, sizeof *driver->tried, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (driver->tried == MAP_FAILED)
        driver_give_up("map memory for", program);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        driver_try_all(driver, seed, cpu_ms);
        exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        driver_give_up("run", program);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    driver_report(driver, status, program);
    return false;
}

int main(int argc, char **argv)
{
    static struct driver driver;
    const char *given = getenv("KEYSTORE_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    if (argc != 4 || strcmp(argv[1], "--cpu-ms") != 0) {
        fprintf(stderr, "usage: %s --cpu-ms N FILE|FOLDER\n", argv[0]);
        return 2;
    }
    printf("KEYSTORE_SEED=%" PRIu64 "\n", seed);
    driver_read(&driver, argv[3]);
    return driver_run(&driver, seed, strtol(argv[2], NULL, 10), argv[0]) ? 0 : 1;
}
