/* Tests of crash/view.c: shared contents against flat copies of their own. */
#include "crash/view.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "store/seeded.h"

#define VIEWS 6
#define MOST  3000

struct pair {
    struct view view;
    uint8_t bytes[MOST];
    size_t len;
};

static void assert_same(const struct pair *pair)
{
    struct slice bytes = view_bytes(pair->view);
    assert_int_equal(bytes.len, pair->len);
    if (pair->len > 0)
        assert_memory_equal(bytes.data, pair->bytes, pair->len);
}

static void write_somewhere(struct pair *pair, uint64_t *random)
{
    uint8_t bytes[100];
    size_t len = seeded_below(random, sizeof bytes);
    size_t offset = seeded_below(random, 3) > 0 ? pair->len : seeded_below(random, MOST / 2);
    if (offset + len > MOST)
        return;
    seeded_fill(random, bytes, len);
    view_write(&pair->view, offset, slice_make(bytes, len));
    if (len == 0)
        return;
    if (offset > pair->len)
        memset(pair->bytes + pair->len, 0, offset - pair->len);
    memcpy(pair->bytes + offset, bytes, len);
    if (offset + len > pair->len)
        pair->len = offset + len;
}

static void resize(struct pair *pair, uint64_t *random)
{
    size_t len = seeded_below(random, MOST);
    if (len < pair->len) {
        view_cut(&pair->view, len);
    } else {
        view_extend(&pair->view, len);
        memset(pair->bytes + pair->len, 0, len - pair->len);
    }
    pair->len = len;
}

static void change(struct pair *pairs, uint64_t *random)
{
    struct pair *pair = &pairs[seeded_below(random, VIEWS)];
    struct pair *other = &pairs[seeded_below(random, VIEWS)];
    switch (seeded_below(random, 8)) {
    case 0:
        resize(pair, random);
        break;
    case 1:
        if (pair != other) {
            view_release(&other->view);
            *other = *pair;
            other->view = view_share(pair->view);
        }
        break;
    default:
        write_somewhere(pair, random);
        break;
    }
}

static void nobody_sees_what_others_change(void **state)
{
    (void)state;
    static struct pair pairs[VIEWS];
    uint64_t random = seeded_start();
    for (int step = 0; step < 20000; step++) {
        change(pairs, &random);
        for (size_t i = 0; i < VIEWS; i++)
            assert_same(&pairs[i]);
    }
    for (size_t i = 0; i < VIEWS; i++)
        view_release(&pairs[i].view);
}

static void bytes_stay_while_they_are_held(void **state)
{
    (void)state;
    struct view view = {0};
    view_write(&view, 0, SLICE_LITERAL("0123456789"));
    struct slice held = view_bytes(view_share(view));
    view_write(&view, 10, SLICE_LITERAL("more"));
    view_cut(&view, 3);
    view_write(&view, 3, SLICE_LITERAL("else"));
    view_write(&view, 0, SLICE_LITERAL("X"));
    assert_true(slice_equal(held, SLICE_LITERAL("0123456789")));
    assert_true(slice_equal(view_bytes(view), SLICE_LITERAL("X12else")));
    view_release(&view);
    assert_true(slice_equal(held, SLICE_LITERAL("0123456789")));
    view_release_bytes(held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_sees_what_others_change),
        cmocka_unit_test(bytes_stay_while_they_are_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
