/* Reads without buffers of the C library, which would keep a copy. */
#include "cli/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static const char too_long[] = "the password is longer than 1,024 bytes";

void secret_wipe(struct secret *secret)
{
    explicit_bzero(secret, sizeof *secret);
}

/* Reads up to a newline or the end. False if that is too much, or reading fails. */
static bool secret_read_line(int descriptor, struct secret *secret, const char **why)
{
    size_t len = 0;
    char c = '\0';
    ssize_t got = 0;
    while (len < SECRET_SIZE && (got = read(descriptor, &c, 1)) == 1 && c != '\n')
        secret->text[len++] = c;
    if (len == SECRET_SIZE || got < 0) {
        *why = got < 0 ? "the password could not be read" : too_long;
        return false;
    }
    if (len > 0 && secret->text[len - 1] == '\r')
        len--;
    secret->text[len] = '\0';
    *why = "there is no password: the line is empty";
    if (strlen(secret->text) != len)
        *why = "the password has a zero byte";
    return len > 0 && strlen(secret->text) == len;
}

bool secret_read_descriptor(int descriptor, struct secret *secret, const char **why)
{
    bool is_read = secret_read_line(descriptor, secret, why);
    if (!is_read)
        secret_wipe(secret);
    return is_read;
}

bool secret_read_file(const char *path, struct secret *secret, const char **why)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        *why = strerror(errno);
        return false;
    }
    bool is_read = secret_read_descriptor(descriptor, secret, why);
    close(descriptor);
    return is_read;
}

/* A Ctrl-C ends the reading, not the program, which would leave the terminal without echo. */
static volatile sig_atomic_t interrupted;

static void secret_on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* Waits for a line, for SIGINT is blocked but here, so that none is missed. False if it came. */
static bool secret_wait(int terminal, const sigset_t *waiting)
{
    struct pollfd entry = {.fd = terminal, .events = POLLIN};
    while (!interrupted && ppoll(&entry, 1, NULL, waiting) < 0 && errno == EINTR)
        ;
    return !interrupted;
}

/* The prompt comes when nothing is echoed any longer, as what is typed then is the password. */
static bool secret_ask_on(int terminal, const char *prompt, struct secret *secret, const char **why)
{
    struct termios mode, hidden;
    struct sigaction action = {.sa_handler = secret_on_interrupt}, former;
    sigset_t blocked, before, waiting;
    if (tcgetattr(terminal, &mode) != 0) {
        *why = "the terminal cannot hide the password";
        return false;
    }
    hidden = mode;
    hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    hidden.c_lflag |= ICANON | ISIG;
    hidden.c_iflag |= ICRNL;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    waiting = before;
    sigdelset(&waiting, SIGINT);
    interrupted = 0;
    sigaction(SIGINT, &action, &former);
    tcsetattr(terminal, TCSAFLUSH, &hidden);
    *why = "interrupted";
    bool is_read = write(terminal, prompt, strlen(prompt)) >= 0 &&
                   secret_wait(terminal, &waiting) && secret_read_descriptor(terminal, secret, why);
    tcsetattr(terminal, TCSAFLUSH, &mode);
    sigaction(SIGINT, &former, NULL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return is_read;
}

bool secret_ask(const char *prompt, struct secret *secret, const char **why)
{
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    *why = "there is no terminal to ask for the password";
    if (terminal < 0)
        return false;
    bool is_read = secret_ask_on(terminal, prompt, secret, why);
    (void)!write(terminal, "\n", 1);
    close(terminal);
    return is_read;
}
