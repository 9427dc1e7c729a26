/*
 * The server's settings, of a command line and a configuration file. The input is up to four
 * words behind their sizes, then the file. Settings that were accepted are printed, and what is
 * printed is accepted.
 */
#include "common/target.h"

#include "server/config.h"
#include "server/options.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define MOST_WORDS 4

static void check_printed(const struct config *config)
{
    static struct config again;
    struct option_table table = options_table();
    options_fill_defaults(&again);
    for (size_t row = OPTION_FIRST_SETTING; row < table.count; row++) {
        char value[OPTIONS_VALUE_SIZE], accepts[OPTIONS_ACCEPTS_SIZE];
        const char *why;
        options_accepts(row, accepts);
        if ((config->given >> row & 1) == 0)
            continue;
        for (size_t i = 0; options_print(row, config, i, value); i++) {
            bool is_set = options_set(row, &again, value, &why);
            CHECK(is_set);
        }
    }
}

static void read_settings(struct slice *input, const char *path)
{
    static struct config config;
    char *words[MOST_WORDS + 1], *argv[MOST_WORDS + 4];
    char option[96];
    int argc = 0, count = target_byte(input) % (MOST_WORDS + 1);
    argv[argc++] = (char[]){"keystore-server"};
    snprintf(option, sizeof option, "--config=%s", path);
    argv[argc++] = option;
    for (int i = 0; i < count; i++) {
        words[i] = target_string(target_piece(input));
        argv[argc++] = words[i];
    }
    argv[argc] = NULL;
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL);
    if (input->len > 0)
        fwrite(input->data, 1, input->len, file);
    fclose(file);
    config = (struct config){0};
    if (config_read(argc, argv, &config) == CONFIG_RUN)
        check_printed(&config);
    for (int i = 0; i < count; i++)
        free(words[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make(data, size);
    FILE *out = stdout, *err = stderr;
    char path[64];
    int file = memfd_create("config", 0);
    CHECK(file >= 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    static FILE *nowhere; /* where the messages go */
    if (nowhere == NULL)
        nowhere = fopen("/dev/null", "w");
    CHECK(nowhere != NULL);
    stdout = stderr = nowhere;
    read_settings(&input, path);
    stdout = out;
    stderr = err;
    close(file);
    return 0;
}
