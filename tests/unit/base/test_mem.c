/* Tests of base/mem.c: allocations succeed, or the process ends with a message. */
#include "base/mem.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/account.h"
#include "base/child.h"
#include "base/runs.h"

/* Sanitizers stop the program at an impossible allocation; here NULL is what is tested. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void test_alloc_gives_usable_memory(void **state)
{
    (void)state;
    uint8_t *memory = mem_alloc(100000);
    memset(memory, 0xab, 100000);
    assert_int_equal(memory[99999], 0xab);
    free(memory);
}

static void test_no_bytes_are_memory_too(void **state)
{
    (void)state;
    free(mem_alloc(0));
    free(mem_alloc_zero(0));
    free(mem_realloc(NULL, 0));
    void *memory = mem_alloc(10);
    memory = mem_realloc(memory, 0);
    assert_non_null(memory);
    free(memory);
}

static void test_alloc_zero_is_zero_where_memory_was_used_before(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        uint8_t *memory = mem_alloc_zero(500);
        for (size_t i = 0; i < 500; i++)
            assert_int_equal(memory[i], 0);
        memset(memory, 0xff, 500);
        free(memory);
    }
}

static void test_texts_are_copied(void **state)
{
    (void)state;
    const char text[] = "some text";
    char *copy = mem_copy_text(text), *empty = mem_copy_text("");
    assert_string_equal(copy, text);
    assert_ptr_not_equal(copy, text);
    assert_string_equal(empty, "");
    free(copy);
    free(empty);
}

static void test_realloc_keeps_the_contents(void **state)
{
    (void)state;
    char *memory = mem_realloc(NULL, 4);
    memcpy(memory, "abc", 4);
    memory = mem_realloc(memory, 1000000);
    assert_string_equal(memory, "abc");
    free(memory);
}

/* Resident memory of the process, in bytes. */
static size_t resident_bytes(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*u %llu", &pages), 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Nine of ten small blocks are freed, scattered among the others, so malloc() keeps their memory.
 */
static void test_what_is_free_between_blocks_goes_back(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* their malloc() behaves differently */
#endif
    enum { BLOCKS = 40000, SIZE = 1000 };
    static void *blocks[BLOCKS];
    const size_t all = (size_t)BLOCKS * SIZE;
    size_t held = mem_held(), resident = resident_bytes();
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = memset(mem_alloc(SIZE), 1, SIZE);
    assert_in_range(mem_held() - held, all, all * 11 / 10);
    for (size_t i = 0; i < BLOCKS; i++)
        if (i % 100 != 99)
            free(blocks[i]);
    mem_trim(); /* it may be needed again immediately */
    assert_true(mem_held() - held > all * 9 / 10);
    mem_trim();
    assert_true(mem_held() - held < all / 5);
    assert_true(resident_bytes() < resident + all / 5);
    for (size_t i = 99; i < BLOCKS; i += 100)
        free(blocks[i]);
}

static void test_large_blocks_are_counted_and_resized(void **state)
{
    (void)state;
    size_t before = account_used(), runs = runs_used();
    static const size_t sizes[] = {10, 300, 15000, 16384, 20000, 1000000, 30000000, 17000, 5};
    uint8_t *memory = NULL;
    size_t size = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memory = mem_resize(ACCOUNT_CLIENTS, memory, size, sizes[i]);
        for (size_t at = 0; at < size && at < sizes[i]; at++)
            assert_int_equal(memory[at], (uint8_t)(at * 7));
        size = sizes[i];
        for (size_t at = 0; at < size; at++)
            memory[at] = (uint8_t)(at * 7);
        size_t counted = size >= ACCOUNT_LEAST ? runs_round(size) : 0;
        assert_int_equal(account_used() - before, counted);
        assert_int_equal(runs_used() - runs, counted);
    }
    mem_give(ACCOUNT_CLIENTS, memory, size);
    memory = mem_take(ACCOUNT_CLIENTS, 100000);
    mem_give(ACCOUNT_CLIENTS, memory, 100000);
    mem_give(ACCOUNT_CLIENTS, NULL, 0);
    assert_int_equal(account_used(), before);
    assert_int_equal(runs_used(), runs);
}

/* More than any machine has; volatile, so that the compiler does not object. */
static volatile size_t impossible = SIZE_MAX / 2;

static void ask_alloc(void)
{
    free(mem_alloc(impossible));
}

static void ask_alloc_zero(void)
{
    free(mem_alloc_zero(impossible));
}

static void ask_realloc(void)
{
    free(mem_realloc(malloc(10), impossible));
}

static void test_memory_that_is_not_there_aborts_with_a_sentence(void **state)
{
    (void)state;
    void (*const asks[])(void) = {ask_alloc, ask_alloc_zero, ask_realloc};
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
        static char said[1 << 16];
        int status = status_of_child(asks[i], said, sizeof said);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGABRT);
        assert_non_null(strstr(said, "out of memory while allocating 9223372036854775807 bytes"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc_gives_usable_memory),
        cmocka_unit_test(test_no_bytes_are_memory_too),
        cmocka_unit_test(test_alloc_zero_is_zero_where_memory_was_used_before),
        cmocka_unit_test(test_texts_are_copied),
        cmocka_unit_test(test_realloc_keeps_the_contents),
        cmocka_unit_test(test_what_is_free_between_blocks_goes_back),
        cmocka_unit_test(test_large_blocks_are_counted_and_resized),
        cmocka_unit_test(test_memory_that_is_not_there_aborts_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
