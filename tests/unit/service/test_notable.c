/* Tests of service/notable.c: what is kept of an operation. tests/e2e/test_observe.py has the lines
 * and entries made of it. */
#include "service/notable.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/request.h"

static struct request_note note_of(const struct op *op)
{
    static struct request request;
    request = (struct request){.task = {.op = *op}};
    request.arena.beside = 77;
    notable_note(&request);
    assert_int_equal(request.note.state, NOTE_ALL);
    assert_false(request.note.waited_for_disk);
    assert_int_equal(request.note.request_bytes, 77);
    return request.note;
}

static void assert_key(const struct request_note *note, const char *key, size_t keys)
{
    assert_int_equal(note->key_size, strlen(key));
    assert_memory_equal(note->key, key, strlen(key) < NOTE_MAX_KEY ? strlen(key) : NOTE_MAX_KEY);
    assert_int_equal(note->keys, keys);
}

static void test_the_first_key_of_each_kind(void **state)
{
    (void)state;
    struct op_key keys[] = {{.bytes = SLICE_LITERAL("one")}, {.bytes = SLICE_LITERAL("two")}};
    struct op sets[] = {{.kind = OP_SET, .key = SLICE_LITERAL("first")}, {.kind = OP_SET}};
    const struct {
        struct op op;
        const char *key;
        size_t keys;
    } cases[] = {
        {{.kind = OP_GET, .key = SLICE_LITERAL("k")}, "k", 1},
        {{.kind = OP_RENAME, .key = SLICE_LITERAL("k")}, "k", 2},
        {{.kind = OP_M_GET, .keys = keys, .key_count = 2}, "one", 2},
        {{.kind = OP_BIT_OP, .key = SLICE_LITERAL("to"), .keys = keys, .key_count = 2}, "to", 3},
        {{.kind = OP_M_SET, .ops = sets, .op_count = 2}, "first", 2},
        {{.kind = OP_TXN}, "", 0}, /* of compares alone */
        {{.kind = OP_RANDOM_KEY}, "", 0},
        {{.kind = OP_FLUSH_DB}, "", 0},
        {{.kind = OP_SWAP_DB}, "", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct request_note note = note_of(&cases[i].op);
        assert_key(&note, cases[i].key, cases[i].keys);
    }
}

static void test_long_keys_are_cut(void **state)
{
    (void)state;
    char key[200];
    memset(key, 'x', sizeof key);
    for (size_t len = NOTE_MAX_KEY - 1; len <= NOTE_MAX_KEY + 1; len++) {
        const struct op op = {
            .kind = OP_GET, .key = slice_make(key, len), .db = 5, .value_count = 3};
        struct request_note note = note_of(&op);
        assert_int_equal(note.key_size, len);
        assert_int_equal(note.db, 5);
        assert_int_equal(note.elements, 3);
        assert_memory_equal(note.key, key, len < NOTE_MAX_KEY ? len : NOTE_MAX_KEY);
    }
}

static void test_nothing_is_kept_of_what_was_not_made(void **state)
{
    (void)state;
    static struct request request;
    request = (struct request){.task = {.op = {.kind = OP_GET, .key = SLICE_LITERAL("k")}}};
    notable_note_pending(&request);
    assert_int_equal(request.note.state, NOTE_KEY);
    assert_int_equal(request.note.key_size, 1);
    notable_note_nothing(&request, request.arena.beside);
    assert_int_equal(request.note.state, NOTE_ALL);
    assert_false(request.note.waited_for_disk);
    assert_key(&request.note, "", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_key_of_each_kind),
        cmocka_unit_test(test_long_keys_are_cut),
        cmocka_unit_test(test_nothing_is_kept_of_what_was_not_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
