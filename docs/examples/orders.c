/*
 * Books orders: adds the amounts on standard input, lines "ID AMOUNT", to the counter "sales". Each
 * is added once, even if the server crashes meanwhile, or if this program is killed and started
 * again with the same lines: the id of an order is the request id of its write. The server
 * remembers ids for some time (--request-id-age, ten minutes).
 *
 *     cc -o orders orders.c -lkeystore
 *     ./orders 127.0.0.1:50051 < orders.txt
 */
#include <keystore/client.h>

#include <inttypes.h>
#include <stdio.h>

/* Adds the amount of the order; false, with an error message printed, if that failed. */
static bool book(struct keystore_client *client, const char *id, int64_t amount)
{
    const struct keystore_increment request = {
        .key = keystore_text("sales"), .delta = KEYSTORE_BY, .by = amount};
    struct keystore_number sum;
    if (keystore_set_request_id(client, keystore_text(id)) == KEYSTORE_OK &&
        keystore_incr(client, &request, &sum) == KEYSTORE_OK) {
        printf("%s: %" PRId64 "\n", id, sum.integer);
        return true;
    }
    fprintf(stderr, "%s: %s\n", id, keystore_last_error(client)->message);
    return false;
}

int main(int argc, char **argv)
{
    const struct keystore_options options = {.max_retries = 20};
    struct keystore_error error;
    struct keystore_client *client =
        keystore_connect(argc > 1 ? argv[1] : "127.0.0.1:50051", &options, &error);
    if (client == NULL) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    char id[65];
    int64_t amount;
    bool booked = true;
    while (booked && scanf("%64s %" SCNd64, id, &amount) == 2)
        booked = book(client, id, amount);
    keystore_close(client);
    return booked ? 0 : 1;
}
