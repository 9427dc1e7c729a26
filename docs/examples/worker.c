/*
 * A worker that takes jobs from the list "jobs" and acknowledges each when it is done. A job whose
 * worker dies before that returns to the list, for another worker. Ends with the job "stop".
 *
 *     cc -o worker worker.c -lkeystore
 *     ./worker 127.0.0.1:50051
 */
#include <keystore/streams.h>

#include <stdbool.h>
#include <stdio.h>

/* Does the job; false if another worker should try it. */
static bool work(struct keystore_slice job)
{
    printf("%.*s\n", (int)job.len, (const char *)job.data);
    return true;
}

static bool is_stop(struct keystore_slice job)
{
    return job.len == 4 && memcmp(job.data, "stop", 4) == 0;
}

/* Works until there is a "stop"; false if the stream has failed. */
static bool run(struct keystore_stream *queue)
{
    struct keystore_deliveries jobs;
    while (keystore_consume_next(queue, KEYSTORE_FOREVER, &jobs) == KEYSTORE_ITEM) {
        bool stop = false;
        for (size_t i = 0; i < jobs.count; i++) {
            const uint64_t *id = &jobs.items[i].id;
            bool is_last = is_stop(jobs.items[i].value);
            struct keystore_acks acks = {.done = id, .done_count = 1};
            if (stop || (!is_last && !work(jobs.items[i].value))) /* for others, also a "stop" */
                acks = (struct keystore_acks){.give_back = id, .give_back_count = 1};
            if (keystore_consume_ack(queue, &acks) != KEYSTORE_OK)
                return false;
            stop = stop || is_last;
        }
        if (stop)
            break;
    }
    /* Waits until the server has processed what was acknowledged. */
    (void)keystore_consume_finish(queue);
    while (keystore_consume_next(queue, KEYSTORE_FOREVER, &jobs) == KEYSTORE_ITEM)
        continue;
    return keystore_stream_error(queue)->code == KEYSTORE_OK;
}

int main(int argc, char **argv)
{
    const struct keystore_slice key = keystore_text("jobs");
    const struct keystore_consume_request request = {
        .keys = &key, .key_count = 1, .max_in_flight = 10, .lease_ms = 60000};
    struct keystore_error error;
    struct keystore_stream *queue;
    struct keystore_client *client =
        keystore_connect(argc > 1 ? argv[1] : "127.0.0.1:50051", NULL, &error);
    if (client == NULL) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    bool good = keystore_consume(client, &request, &queue) == KEYSTORE_OK && run(queue);
    if (!good)
        fprintf(stderr, "%s\n",
                queue != NULL ? keystore_stream_error(queue)->message
                              : keystore_last_error(client)->message);
    keystore_stream_close(queue);
    keystore_close(client);
    return good ? 0 : 1;
}
