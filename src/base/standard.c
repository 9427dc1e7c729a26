/* Opens missing standard descriptors. Knows nothing of what is printed. */
#include "base/standard.h"

#include "base/log.h"

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
        /* Opened for the wrong direction, so that reads and writes fail instead of having no
         * effect. The lower descriptors are open, so open() returns this one. */
        if (!standard_is_open(fd) &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return false;
    }
    return true;
}

/* errno of the first standard_push() that failed; a stream only records that there was an error. */
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
    /* The reason is unknown if the stream itself wrote while printing a long answer. */
    log_fatal(program, "cannot write to standard output%s%s", push_errno != 0 ? ": " : "",
              push_errno != 0 ? strerror(push_errno) : "");
    return false;
}
