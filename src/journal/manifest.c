/* Reads, writes and replaces the manifest. Does not look at the files that it names. */
#include "journal/manifest.h"

#include "base/hex.h"
#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* Maximum bytes of a line with its newline, in Redis. */
#define MOST_LINE 1024
/* Maximum words of a line; three pairs are known, Redis accepts more for the sake of later
 * versions. */
#define MOST_WORDS  32
#define FIRST_FILES 4

void manifest_deinit(struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->count; i++)
        free(manifest->files[i].name);
    free(manifest->files);
    *manifest = (struct manifest){0};
}

void manifest_add(struct manifest *manifest, const char *name, int64_t seq, char type)
{
    if (manifest->count == manifest->capacity) {
        manifest->capacity = manifest->capacity > 0 ? manifest->capacity * 2 : FIRST_FILES;
        manifest->files =
            mem_realloc(manifest->files, manifest->capacity * sizeof *manifest->files);
    }
    size_t size = strlen(name) + 1;
    manifest->files[manifest->count++] = (struct manifest_file){
        .name = memcpy(mem_alloc(size), name, size), .seq = seq, .type = type};
}

const struct manifest_file *manifest_base(const struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->count; i++) {
        if (manifest->files[i].type == 'b')
            return &manifest->files[i];
    }
    return NULL;
}

/* A line split into words, unquoted into `text`, each with a terminating zero. */
struct words {
    char text[MOST_LINE + MOST_WORDS];
    size_t used;
    const char *items[MOST_WORDS];
    size_t count;
};

static bool manifest_is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static char manifest_unescape(uint8_t letter)
{
    static const char letters[] = "nrtba";
    static const char meanings[] = "\n\r\t\b\a";
    const char *at = strchr(letters, letter);
    return at != NULL && letter != 0 ? meanings[at - letters] : (char)letter;
}

/* Reads an escape after its backslash in double quotes; returns the bytes passed. */
static size_t manifest_read_escape(struct slice rest, char *out)
{
    if (rest.len >= 3 && rest.data[0] == 'x') {
        int high = hex_digit(rest.data[1]);
        int low = hex_digit(rest.data[2]);
        if (high >= 0 && low >= 0) {
            *out = (char)(high * 16 + low);
            return 3;
        }
    }
    *out = manifest_unescape(rest.data[0]);
    return 1;
}

/* Reads a quoted word up to its closing quote; false if that is missing or not followed by a space.
 */
static bool manifest_read_quoted(struct slice line, size_t *at, struct words *words)
{
    uint8_t quote = line.data[(*at)++];
    while (*at < line.len && line.data[*at] != quote) {
        struct slice next = slice_skip(line, *at + 1);
        char letter = (char)line.data[*at];
        ++*at;
        if (letter == '\\' && quote == '"' && next.len > 0)
            *at += manifest_read_escape(next, &letter);
        else if (letter == '\\' && quote == '\'' && next.len > 0 && next.data[0] == '\'') {
            letter = '\'';
            ++*at;
        }
        words->text[words->used++] = letter;
    }
    if (*at == line.len)
        return false;
    ++*at;
    return *at == line.len || manifest_is_space(line.data[*at]);
}

/* A word without quotes, up to the next space or quote. */
static void manifest_read_bare(struct slice line, size_t *at, struct words *words)
{
    while (*at < line.len && !manifest_is_space(line.data[*at]) && line.data[*at] != '"' &&
           line.data[*at] != '\'')
        words->text[words->used++] = (char)line.data[(*at)++];
}

/* A word may be bare, then quoted, as Redis reads it. */
static bool manifest_read_word(struct slice line, size_t *at, struct words *words)
{
    if (words->count == MOST_WORDS)
        return false;
    size_t start = words->used;
    manifest_read_bare(line, at, words);
    if (*at < line.len && !manifest_is_space(line.data[*at]) &&
        !manifest_read_quoted(line, at, words))
        return false;
    if (memchr(words->text + start, 0, words->used - start) != NULL)
        return false;
    words->text[words->used++] = 0;
    words->items[words->count++] = words->text + start;
    return true;
}

static bool manifest_read_words(struct slice line, struct words *words)
{
    words->used = 0;
    words->count = 0;
    for (size_t at = 0;;) {
        while (at < line.len && manifest_is_space(line.data[at]))
            at++;
        if (at == line.len)
            return true;
        if (!manifest_read_word(line, &at, words))
            return false;
    }
}

/* Reads digits only, 1 to INT64_MAX; 0 if it is no such number. */
static int64_t manifest_read_seq(const char *text)
{
    int64_t seq = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        if (__builtin_mul_overflow(seq, (int64_t)10, &seq) ||
            __builtin_add_overflow(seq, (int64_t)(*text - '0'), &seq))
            return 0;
    }
    return *text == 0 ? seq : 0;
}

/* The value of the key, which must occur once; NULL if not. */
static const char *manifest_find_value(const struct words *words, const char *key)
{
    const char *value = NULL;
    for (size_t i = 0; i + 1 < words->count; i += 2) {
        if (strcasecmp(words->items[i], key) != 0)
            continue;
        if (value != NULL)
            return NULL;
        value = words->items[i + 1];
    }
    return value;
}

static bool manifest_is_file_name(const char *name)
{
    return name[0] != 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           strpbrk(name, "/\\") == NULL && strlen(name) <= NAME_MAX;
}

/* Why the manifest cannot have this file after its others; NULL if it can. */
static const char *manifest_find_conflict(const struct manifest *manifest, const char *name,
                                          int64_t seq, char type)
{
    for (size_t i = 0; i < manifest->count; i++) {
        const struct manifest_file *file = &manifest->files[i];
        if (strcmp(file->name, name) == 0)
            return "names a file that an earlier line names";
        if (type == 'b' && file->type == 'b')
            return "is a second base";
        if (type == 'i' && file->type == 'i' && seq <= file->seq)
            return "has a seq that is not above that of the log before";
    }
    return NULL;
}

static bool manifest_append_line(struct buf *out, const struct manifest_file *file);

/* Whether the line that manifest_format() writes for the file, whose name may need escapes, can be
 * read again. */
static bool manifest_fits(const struct manifest_file *file)
{
    struct buf line;
    buf_init(&line, MOST_LINE);
    bool fits = manifest_append_line(&line, file);
    buf_deinit(&line);
    return fits;
}

/* Adds the file of the line; returns NULL, or why the line is wrong. */
static const char *manifest_parse_line(struct slice line, struct manifest *manifest)
{
    struct words words;
    if (!manifest_read_words(line, &words))
        return "has quotes that do not match, a zero byte or more than 32 words";
    if (words.count < 6 || words.count % 2 != 0)
        return "is not of the form: file NAME seq NUMBER type b|i|h";
    const char *name = manifest_find_value(&words, "file");
    const char *number = manifest_find_value(&words, "seq");
    const char *type = manifest_find_value(&words, "type");
    if (name == NULL || number == NULL || type == NULL)
        return "lacks one of file, seq and type, or has one twice";
    if (!manifest_is_file_name(name))
        return "names no file; a name without folder is wanted";
    int64_t seq = manifest_read_seq(number);
    if (seq == 0)
        return "has no seq from 1 on";
    if (type[0] == 0 || type[1] != 0 || strchr("bih", type[0]) == NULL)
        return "has a type that is not b, i or h";
    const char *why = manifest_find_conflict(manifest, name, seq, type[0]);
    if (why != NULL)
        return why;
    manifest_add(manifest, name, seq, type[0]);
    return manifest_fits(&manifest->files[manifest->count - 1])
               ? NULL
               : "has a name that needs more than 1,024 bytes with its escapes";
}

/* Takes the next line, with its newline, off the text; false if it has no newline or is too long.
 */
static bool manifest_take_line(struct slice *text, struct slice *line)
{
    size_t most = text->len < MOST_LINE ? text->len : MOST_LINE;
    const uint8_t *end = memchr(text->data, '\n', most);
    if (end == NULL)
        return false;
    *line = slice_make(text->data, (size_t)(end - text->data));
    *text = slice_skip(*text, line->len + 1);
    return true;
}

static bool manifest_parse_lines(struct slice text, struct manifest *manifest,
                                 struct manifest_fault *fault)
{
    fault->line = 0;
    fault->why = "is empty";
    if (text.len == 0)
        return false;
    while (text.len > 0) {
        struct slice line;
        fault->line++;
        fault->why = "does not end within 1,024 bytes";
        if (!manifest_take_line(&text, &line))
            return false;
        if (line.len > 0 && line.data[0] == '#')
            continue;
        fault->why = manifest_parse_line(line, manifest);
        if (fault->why != NULL)
            return false;
    }
    return true;
}

bool manifest_parse(struct slice text, struct manifest *manifest, struct manifest_fault *fault)
{
    if (!manifest_parse_lines(text, manifest, fault)) {
        manifest_deinit(manifest);
        return false;
    }
    *fault = (struct manifest_fault){0};
    return true;
}

static bool manifest_needs_quotes(const char *name)
{
    for (; *name != 0; name++) {
        uint8_t letter = (uint8_t)*name;
        if (letter <= ' ' || letter > '~' || letter == '\\' || letter == '"' || letter == '\'')
            return true;
    }
    return false;
}

static bool manifest_append_format(struct buf *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool manifest_append_format(struct buf *out, const char *format, ...)
{
    char text[64];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return buf_append(out, slice_make(text, (size_t)len));
}

static bool manifest_append_quoted(struct buf *out, const char *name)
{
    bool done = buf_append(out, SLICE_LITERAL("\""));
    for (; *name != 0 && done; name++) {
        uint8_t letter = (uint8_t)*name;
        if (letter == '\\' || letter == '"')
            done = manifest_append_format(out, "\\%c", letter);
        else if (letter < ' ' || letter > '~')
            done = manifest_append_format(out, "\\x%02x", letter);
        else
            done = buf_append(out, slice_make(&letter, 1));
    }
    return done && buf_append(out, SLICE_LITERAL("\""));
}

static bool manifest_append_line(struct buf *out, const struct manifest_file *file)
{
    return buf_append(out, SLICE_LITERAL("file ")) &&
           (manifest_needs_quotes(file->name) ? manifest_append_quoted(out, file->name)
                                              : buf_append(out, slice_from_string(file->name))) &&
           manifest_append_format(out, " seq %" PRId64 " type %c\n", file->seq, file->type);
}

bool manifest_format(const struct manifest *manifest, struct buf *out)
{
    size_t before = out->len;
    for (const char *type = "bhi"; *type != 0; type++) {
        for (size_t i = 0; i < manifest->count; i++) {
            const struct manifest_file *file = &manifest->files[i];
            if (file->type == *type && !manifest_append_line(out, file)) {
                out->len = before;
                return false;
            }
        }
    }
    return true;
}

/* "<folder>/<prefix><name>"; false if that is too long for a path. */
static bool manifest_make_path(char path[PATH_MAX], const char *folder, const char *prefix,
                               const char *name)
{
    int len = snprintf(path, PATH_MAX, "%s/%s%s", folder, prefix, name);
    return len > 0 && len < PATH_MAX;
}

static int manifest_read_whole(struct fs_file *file, struct buf *text)
{
    int64_t size = fs_size(file);
    if (size < 0)
        return (int)size;
    uint8_t *out = (uint64_t)size <= MANIFEST_MOST_BYTES ? buf_reserve(text, (size_t)size) : NULL;
    if (out == NULL)
        return -EFBIG;
    ssize_t got = fs_read(file, 0, out, (size_t)size);
    if (got > 0)
        text->len = (size_t)got;
    return got < 0 ? (int)got : 0;
}

int manifest_load(struct fs *fs, const char *folder, const char *name, struct manifest *manifest,
                  struct manifest_fault *fault)
{
    char path[PATH_MAX];
    struct fs_file *file;
    struct buf text;
    *fault = (struct manifest_fault){.why = "cannot be read"};
    if (!manifest_make_path(path, folder, "", name))
        return -ENAMETOOLONG;
    int error = fs_open(fs, path, FS_READ, &file);
    if (error != 0)
        return error;
    buf_init_for(&text, MANIFEST_MOST_BYTES, ACCOUNT_JOURNAL);
    error = manifest_read_whole(file, &text);
    fs_close(file);
    if (error == 0 && !manifest_parse(buf_slice(&text), manifest, fault))
        error = -EINVAL;
    buf_deinit(&text);
    return error;
}

/* Writes a new file with these bytes, durable except for its name. */
static int manifest_write_file(struct fs *fs, const char *path, struct slice text)
{
    struct fs_file *file;
    int error = fs_unlink(fs, path); /* of a process that died */
    if (error != 0 && error != -ENOENT)
        return error;
    error = fs_open(fs, path, FS_CREATE, &file);
    if (error != 0)
        return error;
    error = fs_write_slice(file, text);
    if (error == 0)
        error = fs_sync(file);
    int closed = fs_close(file);
    return error != 0 ? error : closed;
}

static int manifest_replace_with(struct fs *fs, const char *folder, const char *name,
                                 struct slice text)
{
    char path[PATH_MAX];
    char temporary[PATH_MAX];
    if (!manifest_make_path(path, folder, "", name) ||
        !manifest_make_path(temporary, folder, "temp-", name))
        return -ENAMETOOLONG;
    int error = manifest_write_file(fs, temporary, text);
    if (error == 0)
        error = fs_rename(fs, temporary, path);
    if (error != 0) {
        fs_unlink(fs, temporary); /* a start would do so as well */
        return error;
    }
    return fs_sync_directory(fs, folder);
}

int manifest_replace(struct fs *fs, const char *folder, const char *name,
                     const struct manifest *manifest)
{
    struct buf text;
    buf_init_for(&text, MANIFEST_MOST_BYTES, ACCOUNT_JOURNAL);
    int error = manifest_format(manifest, &text)
                    ? manifest_replace_with(fs, folder, name, buf_slice(&text))
                    : -EFBIG;
    buf_deinit(&text);
    return error;
}
