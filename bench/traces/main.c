/* The command line of cache-trace: lists traces, replays them against servers, simulates policies.
 * Prints CSV. */
#include "traces/policy.h"
#include "traces/replay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: cache-trace list\n"
    "       cache-trace warm keystore|redis PORT TRACE REQUESTS SEED\n"
    "       cache-trace replay keystore|redis PORT TRACE REQUESTS SEED\n"
    "       cache-trace simulate lru|belady CAPACITY TRACE REQUESTS SEED\n"
    "\n"
    "The server on this machine's PORT is empty at first. A trace has 1000 REQUESTS or more; the\n"
    "first two fifths warm the cache up and do not count as hits. What is held, and CAPACITY, are\n"
    "keys, or bytes where a trace has keys of different sizes.\n"
    "  list      the traces\n"
    "  warm      only warms the server up; what it holds then\n"
    "  replay    hits, and what the server holds after the warm-up and at the end\n"
    "  simulate  hits of a policy that no server has\n";

static _Noreturn void give_up(void)
{
    fputs(usage, stderr);
    exit(2);
}

static uint64_t parse_number(const char *text, uint64_t least, uint64_t most)
{
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || number < least ||
        number > most) {
        fprintf(stderr, "cache-trace: '%s' is not a whole number from %" PRIu64 " to %" PRIu64 "\n",
                text, least, most);
        exit(2);
    }
    return number;
}

static void list_traces(void)
{
    const struct trace_kind *kind;
    printf("name,memory_per_request,unit,note\n");
    for (size_t i = 0; (kind = trace_kind_at(i)) != NULL; i++)
        printf("%s,%" PRIu32 ",%s,\"%s\"\n", kind->name, kind->memory,
               kind->counts_bytes ? "bytes" : "keys", kind->note);
}

static void simulate(const struct trace *trace, const char *policy, const char *capacity)
{
    uint64_t number = parse_number(capacity, 1, UINT64_MAX);
    size_t hits;
    if (strcmp(policy, "lru") == 0)
        hits = policy_lru_hits(trace, number);
    else if (strcmp(policy, "belady") == 0)
        hits = policy_belady_hits(trace, number);
    else
        give_up();
    printf("requests,hits\n%zu,%zu\n", trace->count - trace->warm_up, hits);
}

static struct server *open_server(const char *kind, const char *port)
{
    parse_number(port, 1, UINT16_MAX);
    if (strcmp(kind, "keystore") == 0)
        return server_open_keystore(port);
    if (strcmp(kind, "redis") == 0)
        return server_open_redis(port);
    give_up();
}

static void warm(const struct trace *trace, struct server *server)
{
    replay_run(server, trace, 0, trace->warm_up);
    printf("held\n%" PRIu64 "\n", replay_held(server, trace));
}

static void replay(const struct trace *trace, struct server *server)
{
    replay_run(server, trace, 0, trace->warm_up);
    uint64_t held = replay_held(server, trace);
    size_t hits = replay_run(server, trace, trace->warm_up, trace->count);
    printf("requests,hits,held,held_at_end\n%zu,%zu,%" PRIu64 ",%" PRIu64 "\n",
           trace->count - trace->warm_up, hits, held, replay_held(server, trace));
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        list_traces();
        return 0;
    }
    if (argc != 7)
        give_up();
    size_t requests = parse_number(argv[5], TRACE_LEAST, TRACE_MOST);
    struct trace trace;
    if (!trace_init(&trace, argv[4], parse_number(argv[6], 0, UINT64_MAX), requests)) {
        fprintf(stderr, "cache-trace: there is no trace '%s'; see cache-trace list\n", argv[4]);
        return 2;
    }
    if (strcmp(argv[1], "simulate") == 0) {
        simulate(&trace, argv[2], argv[3]);
    } else {
        bool only_warm = strcmp(argv[1], "warm") == 0;
        if (!only_warm && strcmp(argv[1], "replay") != 0)
            give_up();
        struct server *server = open_server(argv[2], argv[3]);
        (only_warm ? warm : replay)(&trace, server);
        server->close(server);
    }
    trace_deinit(&trace);
    return 0;
}
