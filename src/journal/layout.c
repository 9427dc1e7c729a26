/* Builds and recognises file names. Touches no file. */
#include "journal/layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PREFIX    "appendonly.aof."
#define BASE_END  ".base.rdb"
#define LOG_END   ".incr.aof"
#define TEMPORARY "temp-"

void layout_base_name(char name[LAYOUT_NAME], int64_t seq)
{
    snprintf(name, LAYOUT_NAME, PREFIX "%" PRId64 BASE_END, seq);
}

void layout_log_name(char name[LAYOUT_NAME], int64_t seq)
{
    snprintf(name, LAYOUT_NAME, PREFIX "%" PRId64 LOG_END, seq);
}

void layout_temporary_name(char name[LAYOUT_NAME], const char *finished)
{
    snprintf(name, LAYOUT_NAME, TEMPORARY "%s", finished);
}

void layout_path(char path[LAYOUT_PATH], const char *name)
{
    snprintf(path, LAYOUT_PATH, LAYOUT_FOLDER "/%s", name);
}

int64_t layout_newest(const struct manifest *manifest, char type)
{
    int64_t newest = 0;
    for (size_t i = 0; i < manifest->count; i++) {
        if (manifest->files[i].type == type && manifest->files[i].seq > newest)
            newest = manifest->files[i].seq;
    }
    return newest;
}

int64_t layout_log_seq(const char *name)
{
    char same[LAYOUT_NAME];
    if (strncmp(name, PREFIX, sizeof PREFIX - 1) != 0)
        return 0;
    int64_t seq = strtoll(name + sizeof PREFIX - 1, NULL, 10);
    layout_log_name(same, seq);
    return seq > 0 && strcmp(name, same) == 0 ? seq : 0;
}

/* "appendonly.aof.<digits>" and one of the ends. */
static bool layout_is_numbered(const char *name, const char *const *ends, size_t end_count)
{
    if (strncmp(name, PREFIX, sizeof PREFIX - 1) != 0)
        return false;
    const char *digits = name + sizeof PREFIX - 1;
    size_t count = strspn(digits, "0123456789");
    for (size_t i = 0; i < end_count; i++) {
        if (count > 0 && strcmp(digits + count, ends[i]) == 0)
            return true;
    }
    return false;
}

static bool layout_ends_with(const char *path, const char *end)
{
    size_t len = strlen(path), end_len = strlen(end);
    return len >= end_len && strcmp(path + len - end_len, end) == 0;
}

bool layout_is_dump(const char *path)
{
    return layout_ends_with(path, ".rdb") && !layout_ends_with(path, BASE_END);
}

bool layout_is_temporary(const char *name)
{
    static const char *const ends[] = {BASE_END};
    if (strncmp(name, TEMPORARY, sizeof TEMPORARY - 1) != 0)
        return false;
    const char *finished = name + sizeof TEMPORARY - 1;
    return strcmp(finished, LAYOUT_MANIFEST) == 0 || layout_is_numbered(finished, ends, 1);
}

bool layout_is_data_file(const char *name)
{
    static const char *const ends[] = {BASE_END, LOG_END, ".base.aof"};
    return layout_is_temporary(name) || layout_is_numbered(name, ends, 3);
}
