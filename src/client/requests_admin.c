/* Converts the requests that are about the server, not the data. */
#include "client/requests.h"

/* protobuf-c only reads texts. */
static char **requests_admin_texts(struct request_builder *builder, const char *const *texts,
                                   size_t count)
{
    char **wire = requests_new_array(builder, texts, count, sizeof *wire);
    for (size_t i = 0; wire != NULL && i < count; i++) {
        wire[i] = (char *)texts[i];
        if (wire[i] == NULL)
            builder->missing = true;
    }
    return wire;
}

Keystore__V1__InfoRequest *requests_info_request(struct request_builder *builder,
                                                 const struct keystore_info_request *request)
{
    Keystore__V1__InfoRequest *wire =
        requests_new_message(builder, &keystore__v1__info_request__descriptor);
    if (wire == NULL)
        return NULL;
    wire->n_sections = request->count;
    wire->sections = requests_admin_texts(builder, request->sections, request->count);
    return wire;
}

Keystore__V1__SaveRequest *requests_save_request(struct request_builder *builder,
                                                 const struct keystore_save_request *request)
{
    Keystore__V1__SaveRequest *wire =
        requests_new_message(builder, &keystore__v1__save_request__descriptor);
    if (wire == NULL)
        return NULL;
    wire->wait = request->wait;
    return wire;
}

Grpc__Health__V1__HealthCheckRequest *
requests_health_request(struct request_builder *builder,
                        const struct keystore_health_request *request)
{
    Grpc__Health__V1__HealthCheckRequest *wire =
        requests_new_message(builder, &grpc__health__v1__health_check_request__descriptor);
    if (wire != NULL && request->service != NULL)
        wire->service = (char *)request->service;
    return wire;
}

Keystore__V1__AuthenticateRequest *
requests_authenticate_request(struct request_builder *builder,
                              const struct keystore_authenticate_request *request)
{
    Keystore__V1__AuthenticateRequest *wire =
        requests_new_message(builder, &keystore__v1__authenticate_request__descriptor);
    if (wire == NULL)
        return NULL;
    if (request->user != NULL)
        wire->user = (char *)request->user;
    if (request->password != NULL)
        wire->password = (char *)request->password;
    wire->lifetime_ms = request->lifetime_ms;
    return wire;
}

Keystore__V1__WhoAmIRequest *
requests_who_am_i_request(struct request_builder *builder,
                          const struct keystore_who_am_i_request *request)
{
    (void)request; /* it has no fields */
    return requests_new_message(builder, &keystore__v1__who_am_irequest__descriptor);
}

Keystore__V1__ClientsRequest *
requests_clients_request(struct request_builder *builder,
                         const struct keystore_clients_request *request)
{
    Keystore__V1__ClientsRequest *wire =
        requests_new_message(builder, &keystore__v1__clients_request__descriptor);
    if (wire == NULL)
        return NULL;
    wire->own = request->own;
    wire->id = request->id;
    return wire;
}

Keystore__V1__ConfigRequest *requests_config_request(struct request_builder *builder,
                                                     const struct keystore_config_request *request)
{
    Keystore__V1__ConfigRequest *wire =
        requests_new_message(builder, &keystore__v1__config_request__descriptor);
    if (wire != NULL && request->pattern != NULL)
        wire->pattern = (char *)request->pattern;
    return wire;
}

Keystore__V1__SetConfigRequest *
requests_set_config_request(struct request_builder *builder,
                            const struct keystore_set_config_request *request)
{
    Keystore__V1__SetConfigRequest *wire =
        requests_new_message(builder, &keystore__v1__set_config_request__descriptor);
    if (wire == NULL)
        return NULL;
    if (request->name != NULL)
        wire->name = (char *)request->name;
    if (request->value != NULL)
        wire->value = (char *)request->value;
    return wire;
}

Keystore__V1__KillClientsRequest *
requests_kill_clients_request(struct request_builder *builder,
                              const struct keystore_kill_clients_request *request)
{
    Keystore__V1__KillClientsRequest *wire =
        requests_new_message(builder, &keystore__v1__kill_clients_request__descriptor);
    if (wire == NULL)
        return NULL;
    wire->id = request->id;
    if (request->address != NULL)
        wire->address = (char *)request->address;
    if (request->listener != NULL)
        wire->listener = (char *)request->listener;
    wire->include_own = request->include_own;
    return wire;
}

Keystore__V1__BackupRequest *requests_backup_request(struct request_builder *builder,
                                                     const void *request)
{
    (void)request; /* it has no fields */
    return requests_new_message(builder, &keystore__v1__backup_request__descriptor);
}

Keystore__V1__SlowLogRequest *
requests_slow_log_request(struct request_builder *builder,
                          const struct keystore_slow_log_request *request)
{
    Keystore__V1__SlowLogRequest *wire =
        requests_new_message(builder, &keystore__v1__slow_log_request__descriptor);
    if (wire == NULL)
        return NULL;
    wire->limit = request->limit;
    wire->reset = request->reset;
    return wire;
}

Keystore__V1__LatencyRequest *
requests_latency_request(struct request_builder *builder,
                         const struct keystore_latency_request *request)
{
    Keystore__V1__LatencyRequest *wire =
        requests_new_message(builder, &keystore__v1__latency_request__descriptor);
    if (wire == NULL)
        return NULL;
    wire->n_methods = request->count;
    wire->methods = requests_admin_texts(builder, request->methods, request->count);
    return wire;
}
