/* Signals as a descriptor, so that none is missed between a look and a wait. */
#include "cli/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/eventfd.h>

static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
#define NUMBER_COUNT (sizeof numbers / sizeof *numbers)

static volatile sig_atomic_t descriptor; /* 0: none yet */
static volatile sig_atomic_t pending;    /* the signal that has come, or 0 */
static struct sigaction before[NUMBER_COUNT];

static void interrupt_on_signal(int number)
{
    int error = errno;
    pending = number;
    (void)eventfd_write(descriptor, 1);
    errno = error;
}

int interrupt_descriptor(void)
{
    if (descriptor == 0) {
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        descriptor = fd > 0 ? fd : 0;
    }
    return descriptor;
}

void interrupt_begin(void)
{
    struct sigaction action = {.sa_handler = interrupt_on_signal, .sa_flags = SA_RESTART};
    pending = 0;
    if (interrupt_descriptor() == 0)
        return;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < NUMBER_COUNT; i++)
        sigaction(numbers[i], &action, &before[i]);
}

bool interrupt_is_pending(void)
{
    return pending != 0;
}

int interrupt_end(void)
{
    eventfd_t ignored;
    if (interrupt_descriptor() == 0)
        return 0;
    for (size_t i = 0; i < NUMBER_COUNT; i++)
        sigaction(numbers[i], &before[i], NULL);
    (void)eventfd_read(descriptor, &ignored);
    return pending;
}
