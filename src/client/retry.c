/*
 * Decides whether a call is repeated, and when. Does not know what calls do, and no HTTP/2.
 */
#include "client/retry.h"

#include "base/base64.h"
#include "base/clock.h"
#include "client/socket.h"
#include "client/status.h"

#include <stdio.h>
#include <sys/random.h>

/* Bytes of a random id. */
#define RANDOM_ID 16

/* The pause before a repetition is random, from 0 to this, which doubles with each. */
#define FIRST_PAUSE_MS   50
#define LONGEST_PAUSE_MS 5000

/* ---- ids ---- */

/* A call with a request id, as base64. */
struct retry_id {
    char text[BASE64_CHARS(RETRY_MAX_ID) + 1];
};

static void retry_write_id(struct retry_id *id, const uint8_t *bytes, size_t len)
{
    *base64_encode(slice_make(bytes, len), (uint8_t *)id->text) = '\0';
}

/* Gives the call the id that the program has chosen or, if it may be repeated and needs one, a
 * random one. False with *error set. */
static bool retry_identify(struct retry *retry, enum retry_effect effect, struct retry_id *id,
                           struct call_attempt *attempt, struct keystore_error *error)
{
    uint8_t bytes[RANDOM_ID];
    if (retry->id_len > 0) {
        retry_write_id(id, retry->id, retry->id_len);
        retry->id_len = 0;
    } else if (effect != RETRY_ONCE) {
        return true;
    } else if (getrandom(bytes, sizeof bytes, 0) == RANDOM_ID) {
        retry_write_id(id, bytes, sizeof bytes);
    } else {
        status_set(error, KEYSTORE_INTERNAL,
                   "the system has no random bytes for a request id, so the request was not sent");
        return false;
    }
    attempt->request_id = id->text;
    return true;
}

/* ---- whether ---- */

/* The error may have passed by the next attempt. */
static bool retry_is_passing(enum keystore_code code, const struct call_attempt *attempt)
{
    if (attempt->has_pushback)
        return attempt->pushback_ms >= 0;
    /* Connecting has a timeout of its own. */
    return code == KEYSTORE_UNAVAILABLE ||
           (code == KEYSTORE_DEADLINE_EXCEEDED && attempt->fate == CALL_NOT_SENT);
}

/* The call takes effect at most once, even if it is repeated. */
static bool retry_is_safe(enum retry_effect effect, const struct call_attempt *attempt)
{
    if (effect == RETRY_NONE || attempt->fate != CALL_SENT)
        return true;
    /* The server sends a time only with errors of calls that have had no effect. */
    return attempt->has_pushback || (effect == RETRY_ONCE && attempt->request_id != NULL);
}

/* ---- when ---- */

static int64_t retry_random_pause_ms(uint32_t previous)
{
    int64_t longest_ms = LONGEST_PAUSE_MS;
    uint32_t number;
    if (previous < 7 && FIRST_PAUSE_MS << previous < LONGEST_PAUSE_MS)
        longest_ms = FIRST_PAUSE_MS << previous;
    if (getrandom(&number, sizeof number, 0) != sizeof number)
        return longest_ms;
    return number % (longest_ms + 1);
}

/* Waits before the next attempt. False if the deadline would be over then, or with *error set if
 * the wait was cancelled. The pauses that a server asks for differ already. */
static bool retry_wait(const struct channel *channel, const struct call_attempt *attempt,
                       struct keystore_error *error)
{
    int64_t pause_ms =
        attempt->has_pushback ? attempt->pushback_ms : retry_random_pause_ms(attempt->previous);
    int64_t until_ms = channel_deadline_in(clock_monotonic_ms(), pause_ms);
    if (until_ms >= attempt->deadline_ms)
        return false;
    if (socket_wait_or_cancel(-1, 0, channel_cancel_fd(channel), until_ms) != SOCKET_CANCELLED)
        return true;
    status_set(error, KEYSTORE_CANCELLED,
               "the call was cancelled; the server may have executed it");
    return false;
}

/* ---- calls ---- */

/* After an attempt that failed: whether there is to be another one, now. */
static bool retry_goes_on(const struct retry *retry, struct channel *channel,
                          enum retry_effect effect, enum keystore_code code,
                          struct call_attempt *attempt, struct keystore_error *error)
{
    if (attempt->previous == retry->max_retries || !retry_is_passing(code, attempt) ||
        !retry_is_safe(effect, attempt) || !retry_wait(channel, attempt, error))
        return false;
    attempt->previous++;
    return true;
}

/* Says how often it was tried, if it was more than once. */
static enum keystore_code retry_give_up(const struct call_attempt *attempt,
                                        struct keystore_error *error)
{
    size_t len = strlen(error->message);
    if (attempt->previous > 0)
        snprintf(error->message + len, sizeof error->message - len, " (after %u attempts)",
                 (unsigned)attempt->previous + 1);
    return error->code;
}

enum keystore_code retry_call(struct retry *retry, struct channel *channel,
                              const struct retry_call *call, struct buffer *answer,
                              struct keystore_error *error)
{
    struct call_attempt attempt = {.timeout_ms = call->timeout_ms};
    struct retry_id id;
    bool sent_once_more = false;
    if ((retry->max_retries > 0 || retry->id_len > 0) &&
        !retry_identify(retry, call->effect, &id, &attempt, error))
        return error->code;
    for (;;) {
        enum keystore_code code =
            channel_call(channel, call->path, call->request, &attempt, answer, error);
        if (code == KEYSTORE_OK)
            return code;
        if (attempt.fate == CALL_UNPROCESSED && !sent_once_more)
            sent_once_more = true;
        else if (!retry_goes_on(retry, channel, call->effect, code, &attempt, error))
            return retry_give_up(&attempt, error);
    }
}

bool retry_connect(const struct retry *retry, struct channel *channel, int64_t deadline_ms,
                   struct keystore_error *error)
{
    struct call_attempt attempt = {.deadline_ms = deadline_ms}; /* CALL_NOT_SENT */
    while (!channel_connect(channel, deadline_ms, error)) {
        if (!retry_goes_on(retry, channel, RETRY_NONE, error->code, &attempt, error)) {
            (void)retry_give_up(&attempt, error);
            return false;
        }
    }
    return true;
}
