/* Looking up names with a name service that answers when the test says so. */
#include "client/resolve.h"

#include "base/clock.h"

#include <netdb.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Long enough that a slow machine with sanitizers does not meet it. */
#define PATIENT_MS 60000

static sem_t may_answer; /* each lookup of a name takes one */
static sem_t freed;      /* each list that is freed gives one */
static int failure;      /* what a lookup of a name answers */
static struct keystore_error error;

int __real_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **list);
void __real_freeaddrinfo(struct addrinfo *list);
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **list);
void __wrap_freeaddrinfo(struct addrinfo *list);

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **list)
{
    if ((hints->ai_flags & AI_NUMERICHOST) != 0)
        return __real_getaddrinfo(host, port, hints, list);
    while (sem_wait(&may_answer) != 0)
        continue;
    return failure != 0 ? failure : __real_getaddrinfo("127.0.0.1", port, hints, list);
}

void __wrap_freeaddrinfo(struct addrinfo *list)
{
    __real_freeaddrinfo(list);
    sem_post(&freed);
}

static void wait_until_freed(void)
{
    while (sem_wait(&freed) != 0)
        continue;
}

static int set_up(void **state)
{
    (void)state;
    sem_init(&may_answer, 0, 0);
    sem_init(&freed, 0, 0);
    failure = 0;
    error = (struct keystore_error){0};
    return 0;
}

static void assert_address(const struct addrinfo *list, int port)
{
    assert_non_null(list);
    const struct sockaddr_in *address = (const struct sockaddr_in *)list->ai_addr;
    assert_int_equal(list->ai_family, AF_INET);
    assert_int_equal(ntohs(address->sin_port), port);
    assert_int_equal(ntohl(address->sin_addr.s_addr), INADDR_LOOPBACK);
}

static void an_address_asks_nobody(void **state)
{
    (void)state;
    struct addrinfo *list = resolve("127.0.0.1", "80", clock_monotonic_ms() - 1, &error);
    assert_address(list, 80);
    freeaddrinfo(list);
    list = resolve("::1", "80", INT64_MAX, &error);
    assert_int_equal(list->ai_family, AF_INET6);
    freeaddrinfo(list);
}

static void a_name_is_looked_up(void **state)
{
    (void)state;
    static const int64_t deadlines_ms[] = {INT64_MAX, INT64_MAX - 1, 0};
    for (int i = 0; i < 3; i++) {
        sem_post(&may_answer);
        int64_t deadline_ms =
            deadlines_ms[i] != 0 ? deadlines_ms[i] : clock_monotonic_ms() + PATIENT_MS;
        struct addrinfo *list = resolve("somewhere", "443", deadline_ms, &error);
        assert_address(list, 443);
        freeaddrinfo(list);
    }
}

static void the_deadline_ends_the_wait(void **state)
{
    (void)state;
    int64_t began_ms = clock_monotonic_ms();
    assert_null(resolve("somewhere", "80", began_ms + 30, &error));
    assert_true(clock_monotonic_ms() - began_ms >= 30);
    assert_int_equal(error.code, KEYSTORE_DEADLINE_EXCEEDED);
    assert_non_null(strstr(error.message, "somewhere"));
    sem_post(&may_answer); /* to a thread that nobody waits for: it frees what it finds */
    wait_until_freed();
}

static void failures_are_named(void **state)
{
    (void)state;
    failure = EAI_NONAME;
    sem_post(&may_answer);
    assert_null(resolve("somewhere", "80", INT64_MAX, &error));
    assert_int_equal(error.code, KEYSTORE_UNAVAILABLE);
    assert_non_null(strstr(error.message, "cannot resolve the host 'somewhere'"));
    failure = EAI_MEMORY;
    sem_post(&may_answer);
    assert_null(resolve("somewhere", "80", INT64_MAX, &error));
    assert_int_equal(error.code, KEYSTORE_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(error.message, "memory"));
}

/* A child has none of its parent's threads. The thread sanitizer allows no new ones there. */
static void assert_child_starts_anew(void)
{
#ifndef __SANITIZE_THREAD__
    pid_t child = fork();
    if (child == 0) {
        resolve_after_fork();
        (void)resolve("somewhere", "80", clock_monotonic_ms() - 1, &error);
        _exit(error.code == KEYSTORE_DEADLINE_EXCEEDED ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
#endif
}

/* Unanswered lookups do not pile up. */
static void lookups_are_bounded(void **state)
{
    (void)state;
    int64_t past_ms = clock_monotonic_ms() - 1;
    int waiting = 0;
    do {
        assert_null(resolve("somewhere", "80", past_ms, &error));
        waiting += error.code == KEYSTORE_DEADLINE_EXCEEDED;
        assert_true(waiting <= RESOLVE_LIMIT);
    } while (error.code == KEYSTORE_DEADLINE_EXCEEDED);
    assert_int_equal(error.code, KEYSTORE_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(error.message, "unanswered"));
    assert_true(waiting > 0);
    struct addrinfo *list = resolve("127.0.0.1", "80", past_ms, &error);
    assert_address(list, 80);
    freeaddrinfo(list);
    wait_until_freed();
    assert_child_starts_anew();
    for (int i = 0; i < waiting; i++)
        sem_post(&may_answer);
    for (int i = 0; i < waiting; i++)
        wait_until_freed();
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_address_asks_nobody), TEST(a_name_is_looked_up), TEST(the_deadline_ends_the_wait),
        TEST(failures_are_named),     TEST(lookups_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
