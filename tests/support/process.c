/* Starting, awaiting and ending other programs. Knows nothing of what is asked of them. */
#include "support/process.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Under a sanitizer on a busy machine. */
#define END_TIMEOUT_S 60

static void redirect(const char *log)
{
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    int out = log != NULL ? open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : nowhere;
    dup2(nowhere, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    if (log != NULL)
        dup2(out, STDERR_FILENO);
}

pid_t process_start(char *const *arguments, const char *directory, const char *log)
{
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child > 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (directory == NULL || chdir(directory) == 0) {
        redirect(log);
        execvp(arguments[0], arguments);
    }
    dprintf(STDERR_FILENO, "cannot run %s: %s; script/bootstrap --test installs what tests need\n",
            arguments[0], strerror(errno));
    _exit(127);
}

int process_run(char *const *arguments, const char *directory, const char *log)
{
    int status;
    pid_t pid = process_start(arguments, directory, log);
    CHECK(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool process_has_ended(pid_t pid)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

int process_end(pid_t pid, int signal)
{
    int status = 0;
    time_t until = time(NULL) + END_TIMEOUT_S;
    kill(pid, signal);
    while (waitpid(pid, &status, WNOHANG) == 0) {
        process_pause();
        if (time(NULL) >= until)
            kill(pid, SIGKILL);
    }
    return status;
}

void process_pause(void)
{
    poll(NULL, 0, 5);
}

int process_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CHECK(strlen(path) < sizeof address.sun_path);
    strcpy(address.sun_path, path);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(descriptor >= 0);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0)
        return descriptor;
    close(descriptor);
    return -1;
}

void process_show_log(const char *directory, const char *log)
{
    char path[4096];
    char text[2000];
    snprintf(path, sizeof path, "%s/%s", directory, log);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(text, sizeof text, file) != NULL)
        fputs(text, stderr);
    if (file != NULL)
        fclose(file);
}
