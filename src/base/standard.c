/* Opens what is missing of the standard descriptors. Refuses to know what is printed. */
#include "base/standard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool standard_is_open(int fd)
{
    return fcntl(fd, F_GETFD) != -1 || errno != EBADF;
}

bool standard_open(void)
{
    signal(SIGPIPE, SIG_IGN);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        /* The wrong way round, so that a read or a write is an error and not nothing. The lower
         * ones are open, so that this one is the first that is free. */
        if (!standard_is_open(fd) &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return false;
    }
    return true;
}

/* errno of the first standard_push() that failed; a stream only keeps that one did. */
static int push_errno;

void standard_push(void)
{
    if (fflush(stdout) != 0 && push_errno == 0)
        push_errno = errno;
}

bool standard_flush(const char *program)
{
    standard_push();
    if (push_errno == 0 && !ferror(stdout))
        return true;
    /* Without a reason if it was the stream that wrote, amid a long answer. */
    fprintf(stderr, "%s: cannot write to standard output%s%s\n", program,
            push_errno != 0 ? ": " : "", push_errno != 0 ? strerror(push_errno) : "");
    return false;
}
