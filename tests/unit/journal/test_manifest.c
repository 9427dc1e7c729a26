/* Tests of journal/manifest.c: what Redis writes and refuses, round trips, replacing on a disk. */
#include "journal/manifest.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "journal/fs/posix.h"
#include "store/seeded.h"
#include "support/folder.h"

#define NAME "appendonly.aof.manifest"

static bool parse(const char *text, struct manifest *manifest, struct manifest_fault *fault)
{
    *manifest = (struct manifest){0};
    return manifest_parse(slice_from_string(text), manifest, fault);
}

static void reads_what_redis_writes(void **state)
{
    (void)state;
    struct manifest manifest;
    struct manifest_fault fault;
    assert_true(parse("file appendonly.aof.2.base.rdb seq 2 type b\n"
                      "file appendonly.aof.1.incr.aof seq 1 type h\n"
                      "file appendonly.aof.2.incr.aof seq 2 type i\n"
                      "file \"with space\\x01\\n.aof\" seq 9223372036854775807 type i\n",
                      &manifest, &fault));
    assert_null(fault.why);
    assert_int_equal(manifest.count, 4);
    assert_string_equal(manifest_base(&manifest)->name, "appendonly.aof.2.base.rdb");
    assert_int_equal(manifest.files[1].type, 'h');
    assert_int_equal(manifest.files[2].seq, 2);
    assert_string_equal(manifest.files[3].name, "with space\x01\n.aof");
    manifest_deinit(&manifest);
}

/* Each is accepted by redis-server 7.0, and means one log, of seq 1, named "a b". */
static void reads_what_redis_understands(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "file 'a b' seq 1 type i\n",
        "  FILE\t\"a b\"  Seq 1 tYPE i \t\r\n",
        "# a comment\nfile \"a\\x20b\" seq 1 type i\n# another\n",
        "type i seq 1 file a' b'\n",
        "file 'a b' seq 1 type i later more\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct manifest manifest;
        struct manifest_fault fault;
        print_message("%s\n", texts[i]);
        assert_true(parse(texts[i], &manifest, &fault));
        assert_int_equal(manifest.count, 1);
        assert_string_equal(manifest.files[0].name, "a b");
        assert_int_equal(manifest.files[0].seq, 1);
        assert_int_equal(manifest.files[0].type, 'i');
        assert_null(manifest_base(&manifest));
        manifest_deinit(&manifest);
    }
}

static void refuses_what_redis_refuses_and_more(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t line;
    } cases[] = {
        {"", 0},
        {"file a seq 1 type i", 1}, /* no line end */
        {"\n", 1},
        {"file a seq 1 type i\n\n", 2},
        {"file a seq 1\n", 1},
        {"file a seq 1 type\n", 1},
        {"file a seq 1 type i more\n", 1},
        {"file a seq 1 what i\n", 1},
        {"file a/b seq 1 type i\n", 1},
        {"file a\\b seq 1 type i\n", 1},
        {"file .. seq 1 type i\n", 1},
        {"file '' seq 1 type i\n", 1},
        {"file a seq 0 type i\n", 1},
        {"file a seq -1 type i\n", 1},
        {"file a seq 1x type i\n", 1},
        {"file a seq 9223372036854775808 type i\n", 1},
        {"file a seq 1 type x\n", 1},
        {"file a seq 1 type ib\n", 1},
        {"file \"a seq 1 type i\n", 1},
        {"file \"a\"b seq 1 type i\n", 1},
        {"file a seq 1 type b\nfile b seq 2 type b\n", 2},
        {"file a seq 2 type i\nfile b seq 2 type i\n", 2},
        {"file a seq 2 type i\nfile b seq 1 type i\n", 2},
        {"file a seq 1 type h\nfile a seq 2 type i\n", 2}, /* removing it would lose data */
        {"file a file b seq 1 type i\n", 1},
        {"file \"a\\x00b\" seq 1 type i\n", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct manifest manifest;
        struct manifest_fault fault;
        print_message("%s\n", cases[i].text);
        assert_false(parse(cases[i].text, &manifest, &fault));
        assert_non_null(fault.why);
        assert_int_equal(fault.line, cases[i].line);
        assert_int_equal(manifest.count, 0);
        assert_null(manifest.files);
    }
}

/* Such a name could not be written again so that it can be read. */
static void refuses_names_of_long_lines(void **state)
{
    (void)state;
    for (size_t size = 240; size <= 255; size++) {
        char name[256] = "", text[300];
        struct manifest manifest, again = {0};
        struct manifest_fault fault;
        struct buf written;
        memset(name, 0x80, size);
        snprintf(text, sizeof text, "file %s seq 1 type i\n", name);
        if (!parse(text, &manifest, &fault)) {
            assert_true(size > 246);
            assert_int_equal(fault.line, 1);
            assert_non_null(strstr(fault.why, "escapes"));
            continue;
        }
        buf_init(&written, SIZE_MAX);
        assert_true(manifest_format(&manifest, &written));
        assert_true(manifest_parse(buf_slice(&written), &again, &fault));
        manifest_deinit(&manifest);
        manifest_deinit(&again);
        buf_deinit(&written);
    }
}

static void refuses_long_lines(void **state)
{
    (void)state;
    char text[1100];
    struct manifest manifest = {0};
    struct manifest_fault fault;
    int len = snprintf(text, sizeof text, "file a seq 1 type i%1004s\n", "");
    assert_int_equal(len, 1024);
    assert_true(manifest_parse(slice_make(text, 1024), &manifest, &fault));
    manifest_deinit(&manifest);
    len = snprintf(text, sizeof text, "file a seq 1 type i%1005s\n", "");
    assert_false(manifest_parse(slice_make(text, (size_t)len), &manifest, &fault));
    /* The most words, and the most bytes in one. */
    memset(text, '"', 1023);
    text[1023] = '\n';
    assert_false(manifest_parse(slice_make(text, 1024), &manifest, &fault));
    for (size_t i = 0; i < 1023; i++)
        text[i] = i % 2 == 0 ? 'a' : ' ';
    assert_false(manifest_parse(slice_make(text, 1024), &manifest, &fault));
}

static void fill(struct manifest *manifest, uint64_t *random)
{
    static const char letters[] = "abc.01 \"'x\\n\t\x7f\xc3#";
    int64_t seq = 0;
    bool base = false;
    for (size_t i = seeded_below(random, 8); i > 0; i--) {
        char name[40];
        char type = "bih"[seeded_below(random, 3)];
        size_t len = (size_t)snprintf(name, sizeof name, "%zu", i);
        for (size_t more = seeded_below(random, 20); more > 0; more--) {
            char letter = letters[seeded_below(random, sizeof letters - 1)];
            name[len++] = letter == '\\' ? '-' : letter; /* not in names of files */
        }
        name[len] = 0;
        if (type == 'b' && base)
            type = 'i';
        base = base || type == 'b';
        seq += 1 + seeded_below(random, 1000);
        manifest_add(manifest, name, seq, type);
    }
}

static void assert_same(const struct manifest *read, const struct manifest *written)
{
    size_t at = 0;
    assert_int_equal(read->count, written->count);
    for (const char *type = "bhi"; *type != 0; type++) {
        for (size_t i = 0; i < written->count; i++) {
            if (written->files[i].type != *type)
                continue;
            assert_string_equal(read->files[at].name, written->files[i].name);
            assert_int_equal(read->files[at].seq, written->files[i].seq);
            assert_int_equal(read->files[at++].type, *type);
        }
    }
}

static void reads_what_it_writes(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    for (int round = 0; round < 500; round++) {
        struct manifest written = {0};
        struct manifest read = {0};
        struct manifest_fault fault;
        struct buf text;
        buf_init(&text, MANIFEST_MOST_BYTES);
        fill(&written, &random);
        assert_true(manifest_format(&written, &text));
        bool good = manifest_parse(buf_slice(&text), &read, &fault);
        assert_true(good == (written.count > 0)); /* Redis refuses an empty one */
        if (good)
            assert_same(&read, &written);
        manifest_deinit(&read);
        manifest_deinit(&written);
        buf_deinit(&text);
    }
}

static void writes_as_redis_does(void **state)
{
    (void)state;
    struct manifest manifest = {0};
    struct buf text;
    buf_init(&text, 200);
    manifest_add(&manifest, "l", 3, 'i');
    manifest_add(&manifest, "o", 1, 'h');
    manifest_add(&manifest, "b s", 2, 'b');
    assert_true(manifest_format(&manifest, &text));
    assert_true(slice_equal(buf_slice(&text), SLICE_LITERAL("file \"b s\" seq 2 type b\n"
                                                            "file o seq 1 type h\n"
                                                            "file l seq 3 type i\n")));
    text.limit = text.len + 10;
    size_t before = text.len;
    assert_false(manifest_format(&manifest, &text));
    assert_int_equal(text.len, before);
    manifest_deinit(&manifest);
    buf_deinit(&text);
}

/* Whatever it is made of, it is read or refused, and no byte after the text is read. */
static void survives_garbage(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    static const char *const parts[] = {"file ", "seq ", "type ", "b",  "i",
                                        "1 ",    "\"",   "'",     "\n", "\\",
                                        "\\x",   "#",    " ",     "a ", "file a seq 1 type i\n"};
    for (int round = 0; round < 20000; round++) {
        char text[400];
        size_t len = 0;
        for (size_t i = seeded_below(&random, 16); i > 0; i--)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s",
                                    parts[seeded_below(&random, 15)]);
        char *exact = memcpy(malloc(len + 1), text, len);
        struct manifest manifest = {0};
        struct manifest_fault fault;
        bool good = manifest_parse(slice_make(exact, len), &manifest, &fault);
        assert_true(good == (fault.why == NULL));
        manifest_deinit(&manifest);
        free(exact);
    }
}

static void loads_and_replaces(void **state)
{
    (void)state;
    struct folder folder;
    struct fs *fs;
    struct manifest manifest = {0};
    struct manifest read = {0};
    struct manifest_fault fault;
    struct fs_names names = {0};
    struct fs_file *file;
    folder_make(&folder);
    assert_int_equal(fs_posix_open(folder.path, &fs), 0);
    assert_int_equal(fs_mkdir(fs, "dir"), 0);
    assert_int_equal(manifest_load(fs, "dir", NAME, &read, &fault), -ENOENT);
    manifest_add(&manifest, "one", 1, 'i');
    assert_int_equal(manifest_replace(fs, "dir", NAME, &manifest), 0);
    /* Leftovers of a process that died do not matter. */
    assert_int_equal(fs_open(fs, "dir/temp-" NAME, FS_CREATE, &file), 0);
    assert_int_equal(fs_write_slice(file, SLICE_LITERAL("half a li")), 0);
    assert_int_equal(fs_close(file), 0);
    manifest_add(&manifest, "two", 2, 'i');
    assert_int_equal(manifest_replace(fs, "dir", NAME, &manifest), 0);
    assert_int_equal(manifest_load(fs, "dir", NAME, &read, &fault), 0);
    assert_same(&read, &manifest);
    assert_int_equal(fs_list(fs, "dir", &names), 0);
    assert_int_equal(names.count, 1);
    fs_names_deinit(&names);
    manifest_deinit(&read);
    assert_int_equal(fs_open(fs, "dir/bad", FS_CREATE, &file), 0);
    assert_int_equal(fs_write_slice(file, SLICE_LITERAL("garbage\n")), 0);
    assert_int_equal(fs_close(file), 0);
    assert_int_equal(manifest_load(fs, "dir", "bad", &read, &fault), -EINVAL);
    assert_int_equal(fault.line, 1);
    assert_int_equal(manifest_replace(fs, "none", NAME, &manifest), -ENOENT);
    manifest_deinit(&manifest);
    fs_close_directory(fs);
    folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_redis_writes),
        cmocka_unit_test(reads_what_redis_understands),
        cmocka_unit_test(refuses_what_redis_refuses_and_more),
        cmocka_unit_test(refuses_long_lines),
        cmocka_unit_test(refuses_names_of_long_lines),
        cmocka_unit_test(reads_what_it_writes),
        cmocka_unit_test(writes_as_redis_does),
        cmocka_unit_test(survives_garbage),
        cmocka_unit_test(loads_and_replaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
