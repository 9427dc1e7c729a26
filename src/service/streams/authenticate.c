/* One request, whose password is copied and wiped; one reply, when the authenticator has the
 * result. */
#include "service/streams/authenticate.h"

#include "access/passwords.h"
#include "base/chain.h"
#include "base/container.h"
#include "base/mem.h"
#include "grpc/server.h"
#include "service/authenticator.h"
#include "service/decode_op.h"
#include "service/encode.h"
#include "service/field.h"
#include "service/streams/host.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char no_users[] =
    "this server has no users (--users-file), so everybody may do everything without a token";
static const char denied[] = "the user or the password is wrong, or the user has no password";
static const char stops[] = "the server is shutting down";
static const char no_memory[] = "there is no memory to verify a password; try again";
static const char late[] = "the call's deadline passed while others were verified";

struct authentication {
    struct attempt attempt;
    struct stream_host *host;
    struct grpc_call *call; /* NULL: it has ended, while the attempt is under way */
    bool is_under_way;      /* of `attempt` nothing may be touched */
    bool has_begun;
};

static void authenticate_free(struct authentication *authentication)
{
    attempt_forget_password(&authentication->attempt);
    explicit_bzero(authentication->attempt.token, sizeof authentication->attempt.token);
    free(authentication);
}

/* The call has ended. */
static void authenticate_abandon(struct authentication *authentication)
{
    authentication->call = NULL;
    if (!authentication->is_under_way ||
        authenticator_take_back(authentication->host->authenticator, &authentication->attempt))
        authenticate_free(authentication);
}

static void authenticate_end(struct authentication *authentication, enum err err, const char *why)
{
    struct grpc_call *call = authentication->call;
    authenticate_abandon(authentication);
    stream_end(call, err, why);
}

static void authenticate_refuse(struct authentication *authentication, int64_t retry_ms,
                                const char *why, const char *subject)
{
    struct grpc_call *call = authentication->call;
    struct grpc_status status = status_of(ERR_THROTTLED, why);
    status.retry_ms = retry_ms;
    status.subject = slice_from_string(subject);
    authenticate_abandon(authentication);
    grpc_stream_end(call, &status);
}

/* ---- the request ---- */

static enum err authenticate_check(const Keystore__V1__AuthenticateRequest *request,
                                   const char **why)
{
    size_t user = strlen(request->user), password = strlen(request->password);
    if (user == 0 || user > ACCESS_MOST_NAME)
        return field_refuse("user: it is empty or longer than 64 bytes; it is the name of a user",
                            why);
    if (password == 0 || password > PASSWORD_MOST)
        return field_refuse("password: it is empty or longer than 1,024 bytes", why);
    if (request->lifetime_ms < 0)
        return field_refuse("lifetime_ms: it is negative; it is a number of milliseconds, or 0 for "
                            "the longest time (--session-lifetime)",
                            why);
    return ERR_NONE;
}

static void authenticate_take(struct authentication *authentication,
                              const Keystore__V1__AuthenticateRequest *request)
{
    const struct stream_host *host = authentication->host;
    struct attempt *attempt = &authentication->attempt;
    attempt->password_size = strlen(request->password);
    attempt->password = mem_alloc(attempt->password_size);
    memcpy(attempt->password, request->password, attempt->password_size);
    memcpy(attempt->user, request->user, strlen(request->user) + 1); /* authenticate_check() */
    attempt->lifetime_ms = request->lifetime_ms;
    attempt->deadline_ms = grpc_call_deadline_ms(authentication->call);
    if (host->find_address != NULL)
        host->find_address(grpc_call_connection_user(authentication->call), attempt->address);
}

/* The error message may lie in the arena. */
static enum err authenticate_decode(struct authentication *authentication, struct slice message,
                                    struct arena *arena, const char **why)
{
    void *decoded;
    enum err err = decode_message(&keystore__v1__authenticate_request__descriptor, message, arena,
                                  &decoded, why);
    if (err == ERR_NONE) {
        const Keystore__V1__AuthenticateRequest *request = decoded;
        err = authenticate_check(request, why);
        if (err == ERR_NONE)
            authenticate_take(authentication, request);
        explicit_bzero(request->password, strlen(request->password));
    }
    return err;
}

/* ---- the result ---- */

static void authenticate_finish(struct offload_job *job)
{
    struct authentication *authentication = CONTAINER_OF(job, struct authentication, attempt.job);
    authentication->is_under_way = false;
    if (authentication->call == NULL) {
        authenticate_free(authentication);
        return;
    }
    switch (authentication->attempt.result) {
    case ATTEMPT_ACCEPTED:
        grpc_stream_ready(authentication->call);
        break;
    case ATTEMPT_DENIED:
        authenticate_end(authentication, ERR_UNAUTHENTICATED, denied);
        break;
    case ATTEMPT_LATE:
        authenticate_end(authentication, ERR_DEADLINE, late);
        break;
    case ATTEMPT_NO_MEMORY:
        authenticate_end(authentication, ERR_NO_CLIENT_MEMORY, no_memory);
        break;
    case ATTEMPT_STOPPED:
        authenticate_end(authentication, ERR_STOPPING, stops);
        break;
    }
}

static void authenticate_start(struct authentication *authentication)
{
    struct stream_host *host = authentication->host;
    int64_t retry_ms;
    char text[200];
    authentication->attempt.job =
        (struct offload_job){.finish = authenticate_finish, .worker = host->worker};
    authentication->is_under_way = true;
    switch (authenticator_add(host->authenticator, &authentication->attempt, &retry_ms)) {
    case ATTEMPT_ADDED:
        return;
    case ATTEMPT_THROTTLED:
        snprintf(text, sizeof text,
                 "too many attempts from this address have failed; the next one may be made in "
                 "%" PRId64 " ms",
                 retry_ms);
        break;
    case ATTEMPT_CROWDED:
        snprintf(text, sizeof text,
                 "%d attempts of others wait already; try again in %" PRId64 " ms",
                 AUTHENTICATOR_MOST, retry_ms);
        break;
    }
    authentication->is_under_way = false;
    authenticate_refuse(authentication, retry_ms, text, "attempts");
}

/* ---- calls ---- */

static void authenticate_on_open(void *user, struct grpc_call *call)
{
    struct stream_host *host = stream_host_of(user);
    if (host->authenticator == NULL) {
        stream_end(call, ERR_NO_USERS, no_users);
        return;
    }
    struct authentication *authentication = mem_alloc_zero(sizeof *authentication);
    authentication->host = host;
    authentication->call = call;
    grpc_call_set_user(call, authentication);
}

static void authenticate_on_message(void *user, struct grpc_call *call, struct slice message)
{
    struct authentication *authentication = grpc_call_user(call);
    const char *why = STREAM_SECOND_MESSAGE;
    struct arena arena;
    (void)user;
    arena_init(&arena);
    enum err err = authentication->has_begun
                       ? ERR_NOT_SERVED
                       : authenticate_decode(authentication, message, &arena, &why);
    authentication->has_begun = true;
    if (err != ERR_NONE)
        authenticate_end(authentication, err, why);
    else
        authenticate_start(authentication);
    arena_deinit(&arena);
}

static void authenticate_on_half_close(void *user, struct grpc_call *call)
{
    struct authentication *authentication = grpc_call_user(call);
    (void)user;
    if (!authentication->has_begun)
        authenticate_end(authentication, ERR_NOT_SERVED, STREAM_NO_MESSAGE);
}

static void authenticate_on_room(void *user, struct grpc_call *call, size_t room)
{
    struct authentication *authentication = grpc_call_user(call);
    struct attempt *attempt = &authentication->attempt;
    (void)user;
    (void)room;
    if (!authentication->has_begun || authentication->is_under_way)
        return;
    Keystore__V1__AuthenticateReply reply = KEYSTORE__V1__AUTHENTICATE_REPLY__INIT;
    reply.token = attempt->token;
    reply.expires_at_ms = attempt->expires_ms;
    reply.user = attempt->user;
    size_t size = keystore__v1__authenticate_reply__get_packed_size(&reply);
    struct chain *to = grpc_stream_write(call, size);
    keystore__v1__authenticate_reply__pack(&reply, chain_append(to, size));
    if (authentication->host->on_login != NULL)
        authentication->host->on_login(authentication->host->audit_user, call, attempt->user);
    authenticate_end(authentication, ERR_NONE, NULL);
}

static void authenticate_on_drain(void *user, struct grpc_call *call)
{
    (void)user;
    authenticate_end(grpc_call_user(call), ERR_STOPPING, stops);
}

static void authenticate_on_cancel(void *user, struct grpc_call *call)
{
    (void)user;
    authenticate_abandon(grpc_call_user(call));
}

const struct grpc_stream_method authenticate_method = {
    .on_open = authenticate_on_open,
    .on_message = authenticate_on_message,
    .on_half_close = authenticate_on_half_close,
    .on_room = authenticate_on_room,
    .on_drain = authenticate_on_drain,
    .on_cancel = authenticate_on_cancel,
};
