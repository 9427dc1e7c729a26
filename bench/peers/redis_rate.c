/*
 * An open-loop load for a Redis server: GETs are sent on a fixed schedule, whether answers arrive
 * or not, and their latencies are printed as one line of CSV.
 *
 * A latency is measured from the time at which the command was scheduled until its answer was
 * read, so a server that stalls, or a load that falls behind, cannot hide it (coordinated
 * omission). It polls without sleeping and so needs a core of its own. It knows the RESP of GET and
 * no more.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ull
/* "*2 $3 GET $16 key:000000000000" with its line ends: the keys that redis-benchmark uses. */
#define COMMAND_SIZE 36u
/* Unanswered commands per connection, so that a server far too slow ends the run. */
#define MAX_PENDING 4096u
#define INPUT_SIZE  65536u
#define MAX_EVENTS  256
/* A server silent for so long has lost answers, or hangs. */
#define SILENCE_NS (10 * NS_PER_S)

/* Log-linear buckets: 128 per power of two keep the error under 1 %, as in HdrHistogram. */
#define SUB_BITS  7u
#define SUB_COUNT (1u << SUB_BITS)
#define BUCKETS   (SUB_COUNT * (64 - SUB_BITS + 1))

struct histogram {
    uint64_t counts[BUCKETS];
    uint64_t total;
    uint64_t max;
};

struct connection {
    int fd;
    bool wants_write;             /* the socket is full, and epoll reports when it is not */
    uint64_t due_ns[MAX_PENDING]; /* ring: when each unanswered command was to be sent */
    uint64_t sent;                /* commands ever put into output */
    uint64_t answered;
    char output[MAX_PENDING * COMMAND_SIZE];
    size_t output_start, output_end;
    char input[INPUT_SIZE];
    size_t input_size;
};

struct options {
    const char *host;
    uint64_t port, connections, rate, seconds, keyspace;
};

struct load {
    struct options options;
    struct connection *connections;
    int epoll_fd;
    uint64_t random;
    uint64_t start_ns, measure_ns; /* answers to commands due before measure_ns are warm-up */
    uint64_t scheduled, total;     /* commands sent so far, and to be sent */
    uint64_t answered, errors, misses;
    struct histogram latency, lateness; /* lateness: how long after its due time a command left */
};

static void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "redis-rate: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* The histogram. */

static size_t bucket_of(uint64_t value)
{
    if (value < SUB_COUNT)
        return value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - SUB_BITS;
    return (shift + 1) * SUB_COUNT + (size_t)(value >> shift) - SUB_COUNT;
}

/* The largest value that falls into the bucket. */
static uint64_t bucket_top(size_t bucket)
{
    if (bucket < SUB_COUNT)
        return bucket;
    unsigned shift = (unsigned)(bucket / SUB_COUNT) - 1;
    return ((bucket % SUB_COUNT + SUB_COUNT + 1) << shift) - 1;
}

static void record(struct histogram *histogram, uint64_t value)
{
    histogram->counts[bucket_of(value)]++;
    histogram->total++;
    if (value > histogram->max)
        histogram->max = value;
}

/* In microseconds; `share` is 0.99 for p99. */
static double percentile_us(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)histogram->total + 0.5);
    uint64_t seen = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen >= wanted && seen > 0) {
            uint64_t top = bucket_top(i);
            return (double)(top < histogram->max ? top : histogram->max) / 1000;
        }
    }
    return 0;
}

/* Connections. */

static void watch(struct load *load, struct connection *connection, int operation)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (connection->wants_write)
        event.events |= EPOLLOUT;
    if (epoll_ctl(load->epoll_fd, operation, connection->fd, &event) < 0)
        die("epoll_ctl: %s", strerror(errno));
}

static void open_connection(struct load *load, struct connection *connection)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)load->options.port)};
    if (inet_pton(AF_INET, load->options.host, &address.sin_addr) != 1)
        die("-h needs an IPv4 address such as 127.0.0.1, not '%s'", load->options.host);
    connection->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connection->fd < 0)
        die("socket: %s", strerror(errno));
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) < 0)
        die("cannot connect to %s port %" PRIu64 ": %s", load->options.host, load->options.port,
            strerror(errno));
    int on = 1;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(load, connection, EPOLL_CTL_ADD);
}

static void flush(struct load *load, struct connection *connection)
{
    while (connection->output_start < connection->output_end) {
        ssize_t written =
            send(connection->fd, connection->output + connection->output_start,
                 connection->output_end - connection->output_start, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno != EAGAIN)
            die("send: %s", strerror(errno));
        if (written < 0)
            break;
        connection->output_start += (size_t)written;
    }
    bool full = connection->output_start < connection->output_end;
    if (full != connection->wants_write) {
        connection->wants_write = full;
        watch(load, connection, EPOLL_CTL_MOD);
    }
}

/* Sending. */

static uint64_t next_random(struct load *load)
{
    load->random ^= load->random << 13;
    load->random ^= load->random >> 7;
    load->random ^= load->random << 17;
    return load->random;
}

/* Commands go round all connections. */
static struct connection *connection_of(struct load *load, uint64_t command)
{
    return &load->connections[command % load->options.connections];
}

static void put_command(struct load *load, struct connection *connection, uint64_t due_ns)
{
    if (connection->sent - connection->answered == MAX_PENDING)
        die("%u commands of one connection are unanswered; the server cannot do %" PRIu64
            " commands/s: lower --rate",
            MAX_PENDING, load->options.rate);
    if (connection->output_end + COMMAND_SIZE > sizeof connection->output) {
        connection->output_end -= connection->output_start;
        memmove(connection->output, connection->output + connection->output_start,
                connection->output_end);
        connection->output_start = 0;
    }
    char *command = connection->output + connection->output_end;
    memcpy(command, "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000000\r\n", COMMAND_SIZE);
    uint64_t key = next_random(load) % load->options.keyspace;
    for (char *digit = command + COMMAND_SIZE - 3; key > 0; key /= 10)
        *digit-- = (char)('0' + key % 10);
    connection->output_end += COMMAND_SIZE;
    connection->due_ns[connection->sent++ % MAX_PENDING] = due_ns;
}

static uint64_t next_due_ns(const struct load *load)
{
    return load->start_ns + load->scheduled * NS_PER_S / load->options.rate;
}

/* Sends what the schedule wants sent by now, each command on the next connection. */
static void send_due(struct load *load)
{
    uint64_t now = now_ns();
    uint64_t first = load->scheduled;
    while (load->scheduled < load->total && next_due_ns(load) <= now) {
        uint64_t due_ns = next_due_ns(load);
        put_command(load, connection_of(load, load->scheduled++), due_ns);
        if (due_ns >= load->measure_ns)
            record(&load->lateness, now - due_ns);
    }
    for (uint64_t i = first; i < load->scheduled && i < first + load->options.connections; i++)
        flush(load, connection_of(load, i));
}

/* Receiving. */

/* Length of the whole answer at `text`, or 0 if its end has not come yet. */
static size_t parse_answer(struct load *load, const char *text, size_t size)
{
    const char *line_end = memchr(text, '\n', size);
    if (line_end == NULL)
        return 0;
    size_t line_size = (size_t)(line_end - text) + 1;
    if (text[0] == '-') {
        if (load->errors++ == 0)
            fprintf(stderr, "redis-rate: the server answered %.*s", (int)line_size, text);
        return line_size;
    }
    if (text[0] != '$')
        die("the server answered GET with '%.*s'", (int)line_size, text);
    long length = strtol(text + 1, NULL, 10);
    if (length < 0) {
        load->misses++;
        return line_size;
    }
    size_t whole = line_size + (size_t)length + 2;
    if (whole > INPUT_SIZE)
        die("a value has %ld bytes; at most %u fit", length, INPUT_SIZE - 32);
    return whole <= size ? whole : 0;
}

static void take_answers(struct load *load, struct connection *connection, uint64_t now)
{
    size_t taken = 0;
    for (;;) {
        size_t size = parse_answer(load, connection->input + taken, connection->input_size - taken);
        if (size == 0)
            break;
        if (connection->answered == connection->sent)
            die("the server sent an answer that nothing asked for");
        uint64_t due_ns = connection->due_ns[connection->answered++ % MAX_PENDING];
        if (due_ns >= load->measure_ns)
            record(&load->latency, now - due_ns);
        load->answered++;
        taken += size;
    }
    connection->input_size -= taken;
    memmove(connection->input, connection->input + taken, connection->input_size);
}

static void receive(struct load *load, struct connection *connection)
{
    ssize_t size = recv(connection->fd, connection->input + connection->input_size,
                        INPUT_SIZE - connection->input_size, MSG_DONTWAIT);
    if (size == 0)
        die("the server closed a connection");
    if (size < 0 && errno != EAGAIN && errno != EINTR)
        die("recv: %s", strerror(errno));
    if (size <= 0)
        return;
    connection->input_size += (size_t)size;
    take_answers(load, connection, now_ns());
}

/* Waits for answers until the next command is due, and takes them. */
static void receive_until_due(struct load *load)
{
    uint64_t now = now_ns();
    uint64_t wait_ns = NS_PER_S / 10; /* so that silence is noticed */
    if (load->scheduled < load->total && next_due_ns(load) < now + wait_ns)
        wait_ns = next_due_ns(load) > now ? next_due_ns(load) - now : 0;
    struct timespec wait = {.tv_sec = 0, .tv_nsec = (long)wait_ns};
    struct epoll_event events[MAX_EVENTS];
    int count = epoll_pwait2(load->epoll_fd, events, MAX_EVENTS, &wait, NULL);
    if (count < 0 && errno != EINTR)
        die("epoll_pwait2: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        if (events[i].events & EPOLLOUT)
            flush(load, connection);
        if (events[i].events & ~(uint32_t)EPOLLOUT)
            receive(load, connection);
    }
}

static void run(struct load *load)
{
    uint64_t answered_before = 0, answered_ns = now_ns();
    load->start_ns = answered_ns;
    /* The first tenth is a warm-up, which is not measured. */
    load->total = load->options.rate * load->options.seconds * 11 / 10;
    load->measure_ns = load->start_ns + load->options.seconds * NS_PER_S / 10;
    while (load->answered < load->total) {
        receive_until_due(load);
        send_due(load);
        if (load->answered != answered_before) {
            answered_before = load->answered;
            answered_ns = now_ns();
        } else if (now_ns() - answered_ns > SILENCE_NS) {
            die("no answer came for 10 s; %" PRIu64 " are missing",
                load->scheduled - answered_before);
        }
    }
}

static void print_results(const struct load *load)
{
    const struct histogram *latency = &load->latency;
    printf("rate,seconds,answers,errors,misses,p50_us,p95_us,p99_us,p999_us,max_us,late_p99_us\n");
    printf("%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
           ",%.1f,%.1f,%.1f,%.1f,%.1f,%.1f\n",
           load->options.rate, load->options.seconds, latency->total, load->errors, load->misses,
           percentile_us(latency, 0.5), percentile_us(latency, 0.95), percentile_us(latency, 0.99),
           percentile_us(latency, 0.999), (double)latency->max / 1000,
           percentile_us(&load->lateness, 0.99));
}

/* The command line. */

static const char usage[] =
    "usage: redis-rate -p PORT --rate N [-h ADDRESS] [-c CONNECTIONS] [-t SECONDS] [-r KEYSPACE]\n"
    "\n"
    "GETs of key:000000000000 and on, N a second whatever the server does; CSV on stdout.\n"
    "  -h ADDRESS      IPv4 address of the server (127.0.0.1)\n"
    "  -p PORT         its port\n"
    "  -c CONNECTIONS  1 to 1000; commands go round all of them (50)\n"
    "  -t SECONDS      how long it measures, after a tenth of it as warm-up (5)\n"
    "  -r KEYSPACE     keys are drawn from so many (1000000)\n"
    "  --rate N        commands per second\n";

static uint64_t number(const char *name, const char *text, uint64_t max)
{
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value == 0 || value > max)
        die("%s needs a whole number from 1 to %" PRIu64 ", not '%s'", name, max, text);
    return value;
}

static struct options read_options(int argc, char **argv)
{
    static const struct option names[] = {{"rate", required_argument, NULL, 'R'},
                                          {"help", no_argument, NULL, 'H'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {
        .host = "127.0.0.1", .connections = 50, .seconds = 5, .keyspace = 1000000};
    for (int option; (option = getopt_long(argc, argv, "h:p:c:t:r:", names, NULL)) != -1;) {
        if (option == 'h')
            options.host = optarg;
        else if (option == 'p')
            options.port = number("-p", optarg, 65535);
        else if (option == 'c')
            options.connections = number("-c", optarg, 1000);
        else if (option == 't')
            options.seconds = number("-t", optarg, 3600);
        else if (option == 'r')
            options.keyspace = number("-r", optarg, 1000000000000);
        else if (option == 'R')
            options.rate = number("--rate", optarg, 10000000);
        else {
            fputs(usage, option == 'H' ? stdout : stderr);
            exit(option == 'H' ? 0 : 2);
        }
    }
    if (options.port == 0 || options.rate == 0 || optind != argc) {
        fputs(usage, stderr);
        exit(2);
    }
    return options;
}

int main(int argc, char **argv)
{
    static struct load load = {.random = 88172645463325252ull};
    load.options = read_options(argc, argv);
    /* Sleeps shall end when a command is due, not up to 50 us later. */
    prctl(PR_SET_TIMERSLACK, 1);
    load.epoll_fd = epoll_create1(0);
    load.connections = calloc(load.options.connections, sizeof *load.connections);
    if (load.epoll_fd < 0 || load.connections == NULL)
        die("cannot start: %s", strerror(errno));
    for (uint64_t i = 0; i < load.options.connections; i++)
        open_connection(&load, &load.connections[i]);
    run(&load);
    print_results(&load);
    return load.errors > 0;
}
