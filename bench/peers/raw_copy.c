/*
 * The cost of moving bytes over loopback without a protocol: a server that for each connection
 * reads one line, "get BYTES COUNT" or "set BYTES COUNT", then writes, or reads, COUNT values of so
 * many bytes, one write() or as few read()s as the kernel allows for each, and answers sets with
 * one byte at the end. With --load it is the client, and prints seconds and bytes per second as
 * CSV.
 *
 * Each value is sent from, or read into, the same memory: nothing is faster without leaving TCP.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE 64u

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* True if all of it was written. */
static bool write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);
        if (written <= 0)
            return false;
        bytes += written;
        size -= (size_t)written;
    }
    return true;
}

/* True if so many bytes were read. */
static bool read_all(int fd, char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t count = read(fd, bytes, size);
        if (count <= 0)
            return false;
        bytes += count;
        size -= (size_t)count;
    }
    return true;
}

/* Moves the values in one direction, whose other end does the opposite. */
static bool move(int fd, bool sends, size_t size, size_t count)
{
    char *value = malloc(size);
    if (value == NULL)
        die("malloc");
    memset(value, 'x', size);
    bool good = true;
    for (size_t i = 0; good && i < count; i++)
        good = sends ? write_all(fd, value, size) : read_all(fd, value, size);
    free(value);
    return good;
}

/* The line is as long as LINE_SIZE, so that nothing after it is read with it. */
static void serve(int fd)
{
    char line[LINE_SIZE], verb[4];
    size_t size, count;
    if (!read_all(fd, line, sizeof line) || line[sizeof line - 1] != '\0' ||
        sscanf(line, "%3s %zu %zu", verb, &size, &count) != 3 || size == 0)
        return;
    bool sends = strcmp(verb, "get") == 0;
    if (move(fd, sends, size, count) && !sends)
        write_all(fd, "!", 1);
}

static _Noreturn void run_server(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) != 0 ||
        listen(listener, 16) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        die("raw-copy: listen");
    printf("Server started on port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            die("raw-copy: accept");
        serve(fd);
        close(fd);
    }
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int run_load(const char *port, const char *verb, const char *size, const char *count)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(port)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char line[LINE_SIZE] = {0}, answer;
    bool receives = strcmp(verb, "get") == 0;
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("raw-copy: connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    snprintf(line, sizeof line, "%s %s %s", verb, size, count);
    double began = now_s();
    if (!write_all(fd, line, sizeof line) ||
        !move(fd, !receives, strtoul(size, NULL, 10), strtoul(count, NULL, 10)) ||
        (!receives && !read_all(fd, &answer, 1)))
        die("raw-copy");
    double seconds = now_s() - began;
    printf("seconds,calls_per_s\n%.6f,%.3f\n", seconds, (double)strtoul(count, NULL, 10) / seconds);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 1)
        run_server();
    if (argc == 6 && strcmp(argv[1], "--load") == 0)
        return run_load(argv[2], argv[3], argv[4], argv[5]);
    fprintf(stderr, "usage: raw-copy [--load PORT get|set BYTES COUNT]\n");
    return 2;
}
