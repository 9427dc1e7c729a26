/* One call on a connection of its own. */
#include "cli/health.h"

#include "cli/format.h"
#include "keystore/client.h"

static const char *health_status_name(enum keystore_serving_status status)
{
    switch (status) {
    case KEYSTORE_SERVING:
        return "SERVING";
    case KEYSTORE_NOT_SERVING:
        return "NOT_SERVING";
    case KEYSTORE_SERVING_UNKNOWN:
        break;
    }
    return "UNKNOWN";
}

static enum health_code health_ask(struct keystore_client *client, const char *service)
{
    struct keystore_health_reply reply;
    if (keystore_health(client, &(struct keystore_health_request){.service = service}, &reply) !=
        KEYSTORE_OK) {
        format_error(stderr, keystore_last_error(client));
        return HEALTH_FAILED;
    }
    puts(health_status_name(reply.status));
    return reply.status == KEYSTORE_SERVING ? HEALTH_SERVING : HEALTH_NOT_SERVING;
}

enum health_code health_check(const struct options *options)
{
    struct keystore_options client_options = {.connect_timeout_ms = options->timeout_ms,
                                              .timeout_ms = options->timeout_ms,
                                              .max_retries = options->max_retries,
                                              .tls = options_tls(options)};
    struct keystore_error error;
    struct keystore_client *client = keystore_connect(options->target, &client_options, &error);
    if (client == NULL) {
        format_error(stderr, &error);
        return HEALTH_UNREACHABLE;
    }
    enum health_code code =
        health_ask(client, options->command_count > 0 ? options->command[0] : "");
    keystore_close(client);
    return code;
}
