/* Tests of store/list/list_sound.c: a list that breaks an invariant is reported. */
#include "store/list/list_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/list/list.h"
#include "store/list/list_garbage.h"

static struct list *list_of(unsigned count)
{
    struct list *list = list_new();
    for (unsigned i = 0; i < count; i++)
        list_push(list, LIST_TAIL, SLICE_LITERAL("an element of some length"));
    return list;
}

static void every_length_is_sound(void **state)
{
    (void)state;
    for (unsigned count = 0; count < 3000; count += count < 10 ? 1 : 500) {
        struct list *list = list_of(count);
        assert_true(list_is_sound(list));
        list_free(list);
    }
    list_garbage_collect(SIZE_MAX);
}

/* Makes one member after another contradict the chunks. */
static void what_it_says_of_its_chunks_is_checked(void **state)
{
    (void)state;
    struct list *list = list_of(3000);
    size_t *const members[] = {&list->bytes, &list->body->length, &list->body->spine.bytes};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        ++*members[i];
        assert_false(list_is_sound(list));
        --*members[i];
        assert_true(list_is_sound(list));
    }
    struct chunk *tail = list->body->tail;
    list->body->tail = list->head;
    assert_false(list_is_sound(list));
    list->body->tail = tail;
    list_free(list);
    list = list_of(1);
    list->bytes++;
    assert_false(list_is_sound(list));
    list->bytes--;
    list_free(list);
    list_garbage_collect(SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_is_sound),
        cmocka_unit_test(what_it_says_of_its_chunks_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
