/*
 * Loads "key<TAB>value" lines from standard input through a pipeline.
 *
 *     cc -o bulk_load bulk_load.c -lkeystore
 *     ./bulk_load 127.0.0.1:50051 < data.tsv
 */
#include <keystore/streams.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct load {
    uint64_t lines; /* read */
    uint64_t failed;
};

/* The replies come in the order of the operations, while others are added. */
static void on_reply(void *user, const struct keystore_reply *reply)
{
    struct load *load = user;
    if (reply->kind != KEYSTORE_REPLY_ERROR)
        return;
    load->failed++;
    fprintf(stderr, "line %" PRIu64 ": %s\n", reply->id, reply->answer.error.message);
}

/* What is added is copied, so the line may be read over. */
static enum keystore_code add_line(struct keystore_pipeline *pipeline, const char *line, size_t len,
                                   uint64_t number)
{
    const char *tab = memchr(line, '\t', len);
    size_t key_len = tab != NULL ? (size_t)(tab - line) : len;
    struct keystore_op op = {.kind = KEYSTORE_OP_SET, .id = number};
    op.request.key_value.key = (struct keystore_slice){line, key_len};
    if (tab != NULL)
        op.request.key_value.value = (struct keystore_slice){tab + 1, len - key_len - 1};
    return keystore_pipeline_add(pipeline, &op);
}

static enum keystore_code load_lines(struct keystore_pipeline *pipeline, struct load *load)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    enum keystore_code code = KEYSTORE_OK;
    while (code == KEYSTORE_OK && (len = getline(&line, &size, stdin)) > 0) {
        if (line[len - 1] == '\n')
            len--;
        code = add_line(pipeline, line, (size_t)len, ++load->lines);
    }
    free(line);
    return code == KEYSTORE_OK ? keystore_pipeline_wait(pipeline) : code;
}

int main(int argc, char **argv)
{
    struct keystore_error error;
    struct load load = {0};
    struct keystore_client *client =
        keystore_connect(argc > 1 ? argv[1] : "127.0.0.1:50051", NULL, &error);
    if (client == NULL) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    const struct keystore_pipeline_options options = {.on_reply = on_reply, .user = &load};
    struct keystore_pipeline *pipeline = keystore_pipeline_open(client, &options);
    enum keystore_code code = pipeline != NULL ? load_lines(pipeline, &load) : KEYSTORE_UNAVAILABLE;
    if (code != KEYSTORE_OK)
        fprintf(stderr, "%s; %zu of the last lines may not be stored\n",
                pipeline != NULL ? keystore_pipeline_error(pipeline)->message
                                 : keystore_last_error(client)->message,
                keystore_pipeline_unanswered(pipeline));
    else
        printf("%" PRIu64 " lines, %" PRIu64 " failed\n", load.lines, load.failed);
    keystore_pipeline_close(pipeline);
    keystore_close(client);
    return code == KEYSTORE_OK && load.failed == 0 ? 0 : 1;
}
