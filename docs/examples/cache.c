/*
 * A cache of the keys "config:*" that a watch keeps current: it starts with the keys as they are,
 * and misses no change after that, also if the connection is lost or the server restarts. Prints
 * each change, and ends when "config:stop" is written.
 *
 *     cc -o cache cache.c -lkeystore
 *     ./cache 127.0.0.1:50051
 */
#include <keystore/streams.h>

#include <stdio.h>
#include <stdlib.h>

#define SLOTS 100

static struct entry {
    char *key, *value; /* both NULL: free */
} cache[SLOTS];

static char *copy(struct keystore_slice bytes)
{
    char *text = malloc(bytes.len + 1);
    if (text == NULL)
        abort();
    memcpy(text, bytes.data, bytes.len);
    text[bytes.len] = '\0';
    return text;
}

static void empty(struct entry *entry)
{
    free(entry->key);
    free(entry->value);
    *entry = (struct entry){0};
}

static struct entry *find(struct keystore_slice key)
{
    struct entry *unused = NULL;
    for (struct entry *entry = cache; entry < cache + SLOTS; entry++) {
        if (entry->key == NULL)
            unused = entry;
        else if (strlen(entry->key) == key.len && memcmp(entry->key, key.data, key.len) == 0)
            return entry;
    }
    if (unused != NULL)
        unused->key = copy(key);
    return unused;
}

/* A write says that the key has changed: its value is read when it is needed, here immediately. */
static void apply(struct keystore_client *client, const struct keystore_event *event)
{
    struct keystore_value value = {0};
    if (event->type == KEYSTORE_EVENT_FLUSH) {
        for (size_t i = 0; i < SLOTS; i++)
            empty(&cache[i]);
        printf("empty\n");
        return;
    }
    struct entry *entry = find(event->key);
    if (entry == NULL)
        return; /* the cache is full */
    free(entry->value);
    entry->value = NULL;
    if (event->type == KEYSTORE_EVENT_WRITE &&
        keystore_get(client, &(struct keystore_key){.key = event->key}, &value) == KEYSTORE_OK &&
        value.found)
        entry->value = copy(value.value);
    printf("%s = %s\n", entry->key, entry->value != NULL ? entry->value : "(none)");
    if (entry->value == NULL)
        empty(entry);
}

static int follow(struct keystore_client *client, struct keystore_stream *watch)
{
    struct keystore_watch_batch batch;
    while (keystore_watch_next(watch, KEYSTORE_FOREVER, &batch) == KEYSTORE_ITEM) {
        for (size_t i = 0; i < batch.count; i++) {
            apply(client, &batch.events[i]);
            if (batch.events[i].key.len == strlen("config:stop") &&
                memcmp(batch.events[i].key.data, "config:stop", batch.events[i].key.len) == 0)
                return 0;
        }
        if (batch.initial_done)
            printf("complete\n");
        fflush(stdout);
    }
    /* HISTORY_LOST: too much was missed; a real cache empties itself and starts a new watch. */
    fprintf(stderr, "%s\n", keystore_stream_error(watch)->message);
    return 1;
}

int main(int argc, char **argv)
{
    const char *target = argc > 1 ? argv[1] : "127.0.0.1:50051";
    const struct keystore_selector selector = {.kind = KEYSTORE_SELECT_PREFIX,
                                               .text = keystore_text("config:")};
    const struct keystore_watch_request request = {
        .selectors = &selector, .count = 1, .initial = true};
    struct keystore_error error;
    struct keystore_stream *watch;
    int code = 1;
    struct keystore_client *client = keystore_connect(target, NULL, &error);
    if (client == NULL) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    if (keystore_watch(client, &request, &watch) == KEYSTORE_OK)
        code = follow(client, watch);
    else
        fprintf(stderr, "%s\n", keystore_last_error(client)->message);
    keystore_stream_close(watch);
    keystore_close(client);
    for (size_t i = 0; i < SLOTS; i++)
        empty(&cache[i]);
    return code;
}
