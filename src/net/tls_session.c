/*
 * An SSL object between two memory regions: it reads from the bytes that were given, and writes to
 * a chain. So writing never blocks, and reading blocks only for the peer.
 */
#include "net/tls_session.h"

#include "base/check.h"
#include "base/mem.h"
#include "net/tls.h"
#include "net/tls_context.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* Plaintext bytes of a record, at most. */
#define RECORD_BYTES ((size_t)SSL3_RT_MAX_PLAIN_LENGTH)
/* Pieces of plaintext that are looked at together. */
#define PIECES 64
/* The first byte of a connection with TLS. */
#define HANDSHAKE_RECORD 0x16

struct tls_session {
    SSL *ssl;
    struct net_tls *tls;
    struct slice input; /* given and not read yet */
    struct chain held;
    struct chain *output; /* where records go: `held`, or the caller's chain */
    struct tls_cause cause;
    bool has_begun; /* the peer has sent something */
    bool established;
    bool finished; /* the peer has sent close_notify, */
    bool closed;   /* and we have */
    bool failed;
    char failure[200];
};

static int tls_session_on_read(BIO *bio, char *out, int size)
{
    struct tls_session *session = BIO_get_data(bio);
    size_t len = session->input.len < (size_t)size ? session->input.len : (size_t)size;
    BIO_clear_retry_flags(bio);
    if (len == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(out, session->input.data, len);
    session->input = slice_skip(session->input, len);
    return (int)len;
}

static int tls_session_on_write(BIO *bio, const char *bytes, int size)
{
    struct tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    memcpy(chain_append(session->output, (size_t)size), bytes, (size_t)size);
    return size;
}

static long tls_session_on_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *tls_session_make_method(void)
{
    int index = BIO_get_new_index();
    BIO_METHOD *fresh = index < 0 ? NULL : BIO_meth_new(index | BIO_TYPE_SOURCE_SINK, "connection");
    if (fresh == NULL)
        return NULL;
    if (BIO_meth_set_read(fresh, tls_session_on_read) == 1 &&
        BIO_meth_set_write(fresh, tls_session_on_write) == 1 &&
        BIO_meth_set_ctrl(fresh, tls_session_on_control) == 1)
        return fresh;
    BIO_meth_free(fresh);
    return NULL;
}

/* How OpenSSL reads and writes; for the life of the process. NULL without memory: the next
 * connection tries again. */
static const BIO_METHOD *tls_session_method(void)
{
    static _Atomic(BIO_METHOD *) shared;
    BIO_METHOD *method = atomic_load(&shared), *fresh;
    if (method != NULL || (fresh = tls_session_make_method()) == NULL)
        return method;
    if (atomic_compare_exchange_strong(&shared, &method, fresh))
        return fresh;
    BIO_meth_free(fresh); /* another thread was first */
    return method;
}

static BIO *tls_session_new_bio(struct tls_session *session)
{
    const BIO_METHOD *method = tls_session_method();
    BIO *bio = method != NULL ? BIO_new(method) : NULL;
    if (bio == NULL)
        return NULL;
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    return bio;
}

struct tls_session *tls_session_new(struct net_tls *tls)
{
    ERR_clear_error();
    struct tls_session *session = mem_alloc_zero(sizeof *session);
    session->tls = tls;
    session->output = &session->held;
    session->ssl = net_tls_open(tls);
    BIO *bio = session->ssl != NULL ? tls_session_new_bio(session) : NULL;
    if (bio == NULL || SSL_set_app_data(session->ssl, &session->cause) != 1) {
        BIO_free(bio);
        tls_session_free(session);
        return NULL;
    }
    SSL_set_bio(session->ssl, bio, bio);
    SSL_set_accept_state(session->ssl);
    return session;
}

void tls_session_free(struct tls_session *session)
{
    if (session == NULL)
        return;
    SSL_free(session->ssl);
    chain_deinit(&session->held);
    free(session);
}

static void tls_session_fail(struct tls_session *session, const char *what, const char *reason)
{
    if (session->failed)
        return;
    session->failed = true;
    session->input = (struct slice){0};
    snprintf(session->failure, sizeof session->failure, "%s%s", what, reason);
    if (!session->established)
        net_tls_count(session->tls, true);
}

void tls_session_give(struct tls_session *session, struct slice bytes)
{
    /* A fatal alert, unexpected_message: a client without TLS may recognize it. */
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 10};
    DCHECK(session->input.len == 0);
    session->input = bytes;
    if (session->has_begun || bytes.len == 0)
        return;
    session->has_begun = true;
    if (bytes.data[0] == HANDSHAKE_RECORD)
        return;
    tls_session_fail(session, "this is not a TLS handshake; this listener speaks TLS", "");
    memcpy(chain_append(&session->held, sizeof alert), alert, sizeof alert);
}

/* SSL_read() has read nothing. */
static void tls_session_note(struct tls_session *session)
{
    switch (SSL_get_error(session->ssl, 0)) {
    case SSL_ERROR_WANT_READ:
        break;
    case SSL_ERROR_ZERO_RETURN:
        session->finished = true;
        break;
    default:
        if (session->cause.text != NULL)
            tls_session_fail(session, "the TLS handshake failed: ", session->cause.text);
        else
            tls_session_fail(session,
                             session->established ? "TLS failed: " : "the TLS handshake failed: ",
                             tls_context_reason());
    }
}

size_t tls_session_read(struct tls_session *session, uint8_t *out, size_t size)
{
    size_t total = 0, len;
    ERR_clear_error(); /* SSL_get_error() looks at what is left of others, too */
    while (total < size && !session->failed && !session->finished &&
           (session->input.len > 0 || SSL_pending(session->ssl) > 0)) {
        if (SSL_read_ex(session->ssl, out + total, size - total, &len) == 1)
            total += len;
        else
            tls_session_note(session);
    }
    if (!session->established && !session->failed && SSL_is_init_finished(session->ssl)) {
        session->established = true;
        net_tls_count(session->tls, false);
    }
    if (session->finished)
        session->input = (struct slice){0};
    return total;
}

/* One or more records. */
static bool tls_session_encrypt(struct tls_session *session, const uint8_t *bytes, size_t len)
{
    size_t written;
    if (SSL_write_ex(session->ssl, bytes, len, &written) == 1 && written == len)
        return true;
    tls_session_fail(session, "TLS failed: ", tls_context_reason());
    return false;
}

/* What was gathered, plus what follows it, in whole records as far as possible. */
struct tls_gather {
    size_t len;
    uint8_t bytes[RECORD_BYTES];
};

/* Small pieces are gathered; what fills records by itself is not copied. */
static bool tls_session_add(struct tls_session *session, struct tls_gather *gather,
                            struct slice piece, bool is_last)
{
    while (piece.len > 0) {
        if (gather->len == 0 && (is_last || piece.len >= RECORD_BYTES)) {
            size_t whole = is_last ? piece.len : piece.len - piece.len % RECORD_BYTES;
            if (!tls_session_encrypt(session, piece.data, whole))
                return false;
            piece = slice_skip(piece, whole);
            continue;
        }
        size_t room = RECORD_BYTES - gather->len;
        size_t len = piece.len < room ? piece.len : room;
        memcpy(gather->bytes + gather->len, piece.data, len);
        gather->len += len;
        piece = slice_skip(piece, len);
        if (gather->len == RECORD_BYTES) {
            if (!tls_session_encrypt(session, gather->bytes, gather->len))
                return false;
            gather->len = 0;
        }
    }
    return true;
}

static bool tls_session_encrypt_all(struct tls_session *session, const struct chain *plain)
{
    struct tls_gather gather;
    struct chain_cursor cursor = {0};
    size_t left = chain_length(plain);
    gather.len = 0;
    while (left > 0) {
        struct iovec pieces[PIECES];
        size_t count = chain_pieces(plain, cursor, pieces, PIECES), passed = 0;
        for (size_t i = 0; i < count; i++) {
            struct slice piece = slice_make(pieces[i].iov_base, pieces[i].iov_len);
            passed += piece.len;
            left -= piece.len;
            if (!tls_session_add(session, &gather, piece, left == 0))
                return false;
        }
        chain_skip(plain, &cursor, passed);
    }
    return gather.len == 0 || tls_session_encrypt(session, gather.bytes, gather.len);
}

bool tls_session_write(struct tls_session *session, const struct chain *plain, struct chain *out)
{
    DCHECK(session->output == &session->held);
    if (chain_length(&session->held) > 0)
        chain_append_chain(out, &session->held);
    if (chain_length(plain) == 0)
        return true;
    DCHECK(session->established);
    if (session->failed || session->closed)
        return false;
    ERR_clear_error();
    session->output = out;
    bool good = tls_session_encrypt_all(session, plain);
    session->output = &session->held;
    return good;
}

size_t tls_session_held(const struct tls_session *session)
{
    return chain_length(&session->held);
}

bool tls_session_is_established(const struct tls_session *session)
{
    return session->established;
}

bool tls_session_is_finished(const struct tls_session *session)
{
    return session->finished;
}

const char *tls_session_failure(const struct tls_session *session)
{
    return session->failed ? session->failure : NULL;
}

bool tls_session_close(struct tls_session *session)
{
    if (!session->closed && session->established && !session->failed) {
        ERR_clear_error();
        SSL_shutdown(session->ssl); /* a peer that does not get it sees the end of the stream */
        ERR_clear_error();
    }
    session->closed = true;
    return chain_length(&session->held) > 0;
}

bool tls_session_names(const struct tls_session *session, net_name_function *each, void *user)
{
    X509 *certificate = SSL_get0_peer_certificate(session->ssl);
    if (certificate == NULL || !session->established ||
        SSL_get_verify_result(session->ssl) != X509_V_OK)
        return false;
    certificate_names(certificate, each, user);
    return true;
}
