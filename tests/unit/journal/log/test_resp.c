/* Tests of journal/log/resp.c: round trips, cuts at every byte, flips of every bit, and bad forms.
 * */
#include "journal/log/resp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/seeded.h"
#include "support/resp_append.h"

#define LIMIT ((size_t)1024 * 1024)
#define MOST  20

struct sample {
    uint8_t bytes[MOST][300];
    struct slice args[MOST];
    size_t count;
};

static void fill(struct sample *sample, uint64_t *random)
{
    sample->count = 1 + seeded_below(random, MOST);
    for (size_t i = 0; i < sample->count; i++) {
        size_t len = seeded_below(random, seeded_below(random, 4) == 0 ? 300 : 12);
        seeded_fill(random, sample->bytes[i], len);
        sample->args[i] = slice_make(sample->bytes[i], len);
    }
}

static void assert_args(const struct slice *args, const struct sample *sample)
{
    for (size_t i = 0; i < sample->count; i++)
        assert_true(slice_equal(args[i], sample->args[i]));
}

/* Every start of a command is a command that goes on; the whole of it comes back. */
static void reads_back_and_waits_for_more(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    struct resp_args args = {0};
    for (int round = 0; round < 200; round++) {
        struct sample sample;
        struct buf out;
        size_t used;
        buf_init(&out, LIMIT);
        fill(&sample, &random);
        assert_true(resp_append(&out, sample.args, sample.count));
        size_t size = out.len;
        assert_true(buf_append(&out, SLICE_LITERAL("*1\r\n$4\r\n"))); /* the next one */
        args.count = seeded_below(&random, 2) == 0 ? 0 : args.count % 100;
        size_t before = args.count;
        for (size_t len = 0; len < size; len++) {
            assert_int_equal(resp_parse(slice_make(out.data, len), &args, &used), RESP_MORE);
            assert_int_equal(args.count, before);
            assert_int_equal(used, 0);
        }
        assert_int_equal(resp_parse(buf_slice(&out), &args, &used), RESP_COMMAND);
        assert_int_equal(used, size);
        assert_int_equal(args.count, before + sample.count);
        assert_args(args.items + before, &sample);
        buf_deinit(&out);
    }
    resp_args_deinit(&args);
}

/* Whatever is read fits in the text; an error is at a byte that was read. */
static void survives_every_flipped_bit(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    struct resp_args args = {0};
    struct sample sample;
    struct buf out;
    size_t used;
    buf_init(&out, LIMIT);
    fill(&sample, &random);
    assert_true(resp_append(&out, sample.args, sample.count));
    for (size_t bit = 0; bit < out.len * 8; bit++) {
        out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        args.count = 0;
        enum resp_verdict verdict = resp_parse(buf_slice(&out), &args, &used);
        assert_true(used <= out.len);
        for (size_t i = 0; i < args.count; i++) {
            assert_true(args.items[i].data >= out.data);
            assert_true(args.items[i].data + args.items[i].len <= out.data + out.len);
        }
        assert_true((verdict == RESP_COMMAND) == (args.count > 0));
        out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    buf_deinit(&out);
    resp_args_deinit(&args);
}

static void refuses_what_redis_never_writes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t at;
    } cases[] = {
        {"+OK\r\n", 0},
        {"*0\r\n", 1},
        {"*-1\r\n", 1},
        {"*01\r\n", 2},
        {"*1\n$1\r\na\r\n", 2},
        {"* 1\r\n", 1},
        {"*\r\n", 1},
        {"*1\rx", 3},
        {"*1\r\n:1\r\n", 4},
        {"*1\r\n$-1\r\n", 5},
        {"*1\r\n$1\r\nab\r\n", 9},
        {"*1\r\n$1\r\na\rb", 10},
        {"*12345678901\r\n", 11},
        {"*1\r\n$12345678901\r\n", 15},
        {"#KS1 seq=1", 0},
        {"*2\r\n$1\r\na\r\n*1\r\n", 11},
    };
    struct resp_args args = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t used;
        print_message("%zu\n", i);
        assert_int_equal(resp_parse(slice_from_string(cases[i].text), &args, &used), RESP_ERROR);
        assert_int_equal(used, cases[i].at);
        assert_int_equal(args.count, 0);
    }
    resp_args_deinit(&args);
}

/* An announcement is no reason to take memory or to read past the end. */
static void believes_no_announcement(void **state)
{
    (void)state;
    struct resp_args args = {0};
    size_t used;
    assert_int_equal(resp_parse(SLICE_LITERAL("*9999999999\r\n$1\r\na\r\n"), &args, &used),
                     RESP_MORE);
    assert_int_equal(resp_parse(SLICE_LITERAL("*1\r\n$9999999999\r\na\r\n"), &args, &used),
                     RESP_MORE);
    assert_true(args.capacity < 100);
    resp_args_deinit(&args);
}

static void knows_words_in_any_case(void **state)
{
    (void)state;
    assert_true(resp_is_word(SLICE_LITERAL("SELECT"), "SELECT"));
    assert_true(resp_is_word(SLICE_LITERAL("sELecT"), "SELECT"));
    assert_false(resp_is_word(SLICE_LITERAL("SELEC"), "SELECT"));
    assert_false(resp_is_word(SLICE_LITERAL("SELECTS"), "SELECT"));
    assert_false(resp_is_word(SLICE_LITERAL("\x53\x05LECT"), "SELECT"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_back_and_waits_for_more),
        cmocka_unit_test(survives_every_flipped_bit),
        cmocka_unit_test(refuses_what_redis_never_writes),
        cmocka_unit_test(believes_no_announcement),
        cmocka_unit_test(knows_words_in_any_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
