/*
 * main() of a fuzz target without libFuzzer, for script/test: passes each file of a corpus to the
 * target, and then random mutations of them until that much processor time is used up. The inputs
 * depend on the seed alone.
 *
 * A child process does the work and leaves each input in a file before it is tried, so that the
 * input which ended it is there, whatever that was.
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
/* Bytes of a mutated input. */
#define MOST_BYTES ((size_t)4096)

struct driver {
    struct slice inputs[MOST_INPUTS]; /* owned */
    size_t count;
    const char *path; /* of the input that is tried */
    FILE *file;       /* the same */
};

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
    rewind(driver->file);
    if (fwrite(copy, 1, input.len, driver->file) != input.len || fflush(driver->file) != 0 ||
        ftruncate(fileno(driver->file), (off_t)input.len) != 0)
        driver_give_up("write", driver->path);
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

/* Runs the child; 0, or 1 with the command that replays its last input. */
static int driver_run(struct driver *driver, uint64_t seed, long cpu_ms, const char *program)
{
    int status;
    driver->file = fopen(driver->path, "wb");
    if (driver->file == NULL)
        driver_give_up("write", driver->path);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        driver_try_all(driver, seed, cpu_ms);
        fclose(driver->file);
        exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        driver_give_up("run", program);
    fclose(driver->file);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return unlink(driver->path);
    if (WIFSIGNALED(status))
        fprintf(stderr, "fuzz: %s\n", strsignal(WTERMSIG(status)));
    fprintf(stderr, "fuzz: the last input is in %s; to replay it: %s --cpu-ms 0 %s\n", driver->path,
            program, driver->path);
    return 1;
}

int main(int argc, char **argv)
{
    static struct driver driver;
    char path[4096];
    const char *given = getenv("KEYSTORE_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    if (argc != 4 || strcmp(argv[1], "--cpu-ms") != 0) {
        fprintf(stderr, "usage: %s --cpu-ms N FILE|FOLDER\n", argv[0]);
        return 2;
    }
    printf("KEYSTORE_SEED=%" PRIu64 "\n", seed);
    driver_read(&driver, argv[3]);
    snprintf(path, sizeof path, "%s.%ld.input", argv[0], (long)getpid());
    driver.path = path;
    int code = driver_run(&driver, seed, strtol(argv[2], NULL, 10), argv[0]);
    return code == 0 ? 0 : 1;
}
