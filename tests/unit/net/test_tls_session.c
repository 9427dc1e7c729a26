/* Tests of net/tls_session.c in memory against OpenSSL's client: handshakes, data in pieces of any
 * size, and clients that are wrong. */
#include "net/tls_session.h"

#include "base/mem.h"
#include "net/tls_fixture.h"

#define LARGE ((size_t)3 * 1024 * 1024)

/* A client and the session that it talks to. */
struct link {
    SSL_CTX *context;
    SSL *client;
    struct net_tls *tls;
    struct tls_session *session;
    size_t piece;          /* bytes that the session is given at a time */
    struct chain received; /* plaintext */
    size_t records;        /* that the session has written, without those of the handshake */
};

static void link_open(struct link *link, const struct tls_fixture *fixture, SSL_CTX *context,
                      enum net_tls_client_certs client_certs)
{
    *link = (struct link){.context = context, .piece = SIZE_MAX};
    link->tls = tls_fixture_tls(fixture, client_certs);
    link->session = tls_session_new(link->tls);
    assert_non_null(link->session);
    link->client = SSL_new(context);
    SSL_set_bio(link->client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(link->client);
}

static void link_close(struct link *link)
{
    SSL_free(link->client);
    SSL_CTX_free(link->context);
    tls_session_free(link->session);
    net_tls_free(link->tls);
    chain_deinit(&link->received);
    ERR_clear_error();
}

static void link_read(struct link *link)
{
    uint8_t bytes[5000];
    size_t len;
    while ((len = tls_session_read(link->session, bytes, sizeof bytes)) > 0)
        memcpy(chain_append(&link->received, len), bytes, len);
}

static void link_give(struct link *link, struct slice bytes)
{
    while (bytes.len > 0 && tls_session_failure(link->session) == NULL) {
        size_t len = bytes.len < link->piece ? bytes.len : link->piece;
        tls_session_give(link->session, slice_make(bytes.data, len));
        link_read(link);
        bytes = slice_skip(bytes, len);
    }
}

/* Passes what the client has written to the session. */
static bool link_pass_on(struct link *link)
{
    char *bytes;
    long len = BIO_get_mem_data(SSL_get_wbio(link->client), &bytes);
    if (len <= 0)
        return false;
    uint8_t *copy = mem_alloc((size_t)len);
    memcpy(copy, bytes, (size_t)len);
    assert_int_equal(BIO_reset(SSL_get_wbio(link->client)), 1);
    link_give(link, slice_make(copy, (size_t)len));
    free(copy);
    return true;
}

static size_t count_records(struct slice bytes)
{
    size_t count = 0;
    while (bytes.len >= 5) {
        size_t len = 5 + (size_t)bytes.data[3] * 256 + bytes.data[4];
        assert_true(len <= bytes.len);
        bytes = slice_skip(bytes, len);
        count++;
    }
    assert_int_equal(bytes.len, 0);
    return count;
}

/* Passes the plaintext, and what the session holds, to the client. */
static bool link_answer(struct link *link, const struct chain *plain)
{
    struct chain out = {0};
    size_t held = tls_session_held(link->session);
    bool good = tls_session_write(link->session, plain, &out);
    assert_int_equal(tls_session_held(link->session), 0);
    assert_int_equal(out.count, 0); /* all is copied */
    struct slice bytes = buf_slice(&out.bytes);
    if (held == 0)
        link->records += count_records(bytes);
    if (bytes.len > 0)
        assert_int_equal(BIO_write(SSL_get_rbio(link->client), bytes.data, (int)bytes.len),
                         bytes.len);
    chain_deinit(&out);
    return good;
}

/* True if the handshake succeeds on both sides. */
static bool link_shake_hands(struct link *link)
{
    static const struct chain nothing;
    int client;
    do {
        client = SSL_do_handshake(link->client);
        bool moved = link_pass_on(link);
        moved |= tls_session_held(link->session) > 0;
        assert_true(link_answer(link, &nothing));
        if (!moved)
            break;
    } while (tls_session_failure(link->session) == NULL);
    if (client != 1)
        client = SSL_do_handshake(link->client);
    return client == 1 && tls_session_is_established(link->session);
}

static uint8_t byte_at(size_t at)
{
    return (uint8_t)(at * 7 + at / 251);
}

static void fill(uint8_t *bytes, size_t len, size_t offset)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = byte_at(offset + i);
}

static void send_from_client(struct link *link, size_t len)
{
    uint8_t *bytes = mem_alloc(len);
    size_t before = chain_length(&link->received), written;
    fill(bytes, len, 0);
    assert_int_equal(SSL_write_ex(link->client, bytes, len, &written), 1);
    assert_int_equal(written, len);
    link_pass_on(link);
    assert_null(tls_session_failure(link->session));
    assert_int_equal(chain_length(&link->received) - before, len);
    assert_memory_equal(link->received.bytes.data + before, bytes, len);
    free(bytes);
}

/* Reads and checks what the client gets. */
static void assert_client_reads(struct link *link, size_t len)
{
    uint8_t bytes[20000];
    size_t at = 0, got;
    while (at < len && SSL_read_ex(link->client, bytes, sizeof bytes, &got) == 1)
        for (size_t i = 0; i < got; i++, at++)
            assert_int_equal(bytes[i], byte_at(at));
    assert_int_equal(at, len);
}

/* Plaintext of small copied pieces with blobs of any size between them. */
static size_t append_plaintext(struct chain *plain, size_t pieces)
{
    static const size_t sizes[] = {1, 9, 16384, 5, 16383, 16385, 40000, 100, 3};
    size_t at = 0;
    for (size_t i = 0; i < pieces; i++) {
        size_t len = sizes[i % 9];
        if (i % 2 == 0) {
            fill(chain_append(plain, len), len, at);
        } else {
            struct blob *blob = blob_new(len);
            fill(blob->data, len, at);
            chain_append_blob(plain, blob, blob_slice(blob));
        }
        at += len;
    }
    return at;
}

static void test_data_in_both_directions(void **state)
{
    static const size_t pieces[] = {1, 2, 7, 1000, 65536, SIZE_MAX};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct link link;
        link_open(&link, *state, tls_fixture_client(*state, NULL, TLS_FIXTURE_H2),
                  NET_TLS_CLIENT_CERTS_OFF);
        link.piece = pieces[i];
        assert_true(link_shake_hands(&link));
        size_t large = pieces[i] > 100 ? LARGE : 50000;
        send_from_client(&link, 1);
        send_from_client(&link, large);
        struct chain plain = {0};
        size_t len = append_plaintext(&plain, pieces[i] > 100 ? 400 : 10);
        link.records = 0;
        assert_true(link_answer(&link, &plain));
        /* Full records, however small the pieces are. */
        assert_in_range(link.records, len / 16384, len / 16384 + len / 40000 + 2);
        assert_client_reads(&link, len);
        chain_deinit(&plain);
        assert_int_equal(net_tls_counts(link.tls).handshakes, 1);
        assert_int_equal(net_tls_counts(link.tls).failures, 0);
        link_close(&link);
    }
}

static void test_small_pieces_share_a_record(void **state)
{
    struct link link;
    struct chain plain = {0};
    link_open(&link, *state, tls_fixture_client(*state, NULL, TLS_FIXTURE_H2),
              NET_TLS_CLIENT_CERTS_OFF);
    assert_true(link_shake_hands(&link));
    size_t at = 0;
    for (size_t i = 0; i < 40; i++, at += 100) {
        struct blob *blob = blob_new(90);
        fill(chain_append(&plain, 10), 10, at);
        fill(blob->data, 90, at + 10);
        chain_append_blob(&plain, blob, blob_slice(blob));
    }
    link.records = 0;
    assert_true(link_answer(&link, &plain));
    assert_int_equal(link.records, 1);
    assert_client_reads(&link, at);
    chain_deinit(&plain);
    link_close(&link);
}

/* The handshake fails, with these words here and this alert there. */
static void assert_refused(const struct tls_fixture *fixture, SSL_CTX *context,
                           enum net_tls_client_certs client_certs, const char *words, int alert)
{
    struct link link;
    char byte;
    link_open(&link, fixture, context, client_certs);
    assert_false(link_shake_hands(&link) && SSL_read(link.client, &byte, 1) >= 0);
    const char *failure = tls_session_failure(link.session);
    assert_non_null(failure);
    if (strstr(failure, words) == NULL)
        fail_msg("\"%s\" does not contain \"%s\"", failure, words);
    int reason = ERR_GET_REASON(ERR_peek_last_error());
    if (alert > 0)
        assert_int_equal(reason, SSL_AD_REASON_OFFSET + alert);
    assert_int_equal(net_tls_counts(link.tls).handshakes, 0);
    assert_int_equal(net_tls_counts(link.tls).failures, 1);
    assert_false(tls_session_close(link.session)); /* the alert has said it */
    link_close(&link);
}

static void test_other_protocols(void **state)
{
    static const char *const offers[] = {NULL, "\x08http/1.1", "\x02h3", "\x03h2c",
                                         "\x01h\x01"
                                         "2"};
    for (size_t i = 0; i < sizeof offers / sizeof *offers; i++)
        assert_refused(*state, tls_fixture_client(*state, NULL, offers[i]),
                       NET_TLS_CLIENT_CERTS_OFF, "does not offer the protocol h2",
                       SSL_AD_NO_APPLICATION_PROTOCOL);
}

static void test_h2_among_others(void **state)
{
    struct link link;
    link_open(&link, *state, tls_fixture_client(*state, NULL, "\x08http/1.1\x02h2"),
              NET_TLS_CLIENT_CERTS_OFF);
    assert_true(link_shake_hands(&link));
    link_close(&link);
}

static void test_old_versions_and_weak_suites(void **state)
{
    SSL_CTX *old = tls_fixture_client(*state, NULL, TLS_FIXTURE_H2);
    SSL_CTX_set_security_level(old, 0);
    assert_int_equal(SSL_CTX_set_min_proto_version(old, TLS1_VERSION), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(old, TLS1_1_VERSION), 1);
    assert_refused(*state, old, NET_TLS_CLIENT_CERTS_OFF, "unsupported protocol",
                   SSL_AD_PROTOCOL_VERSION);
    static const char *const suites[] = {"ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256",
                                         "ECDHE-ECDSA-AES256-SHA384", "DHE-RSA-AES128-GCM-SHA256"};
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) {
        SSL_CTX *weak = tls_fixture_client(*state, NULL, TLS_FIXTURE_H2);
        assert_int_equal(SSL_CTX_set_max_proto_version(weak, TLS1_2_VERSION), 1);
        assert_int_equal(SSL_CTX_set_cipher_list(weak, suites[i]), 1);
        assert_refused(*state, weak, NET_TLS_CLIENT_CERTS_OFF, "no shared cipher",
                       SSL_AD_HANDSHAKE_FAILURE);
    }
}

static void test_tls_1_2_without_renegotiation(void **state)
{
    static const struct chain nothing;
    struct link link;
    SSL_CTX *context = tls_fixture_client(*state, NULL, TLS_FIXTURE_H2);
    assert_int_equal(SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION), 1);
    link_open(&link, *state, context, NET_TLS_CLIENT_CERTS_OFF);
    assert_true(link_shake_hands(&link));
    send_from_client(&link, 1000);
    assert_int_equal(SSL_renegotiate(link.client), 1);
    assert_int_equal(SSL_do_handshake(link.client), -1);
    link_pass_on(&link);
    assert_true(link_answer(&link, &nothing));
    ERR_clear_error();
    assert_int_equal(SSL_do_handshake(link.client), -1);
    assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_NO_RENEGOTIATION);
    assert_int_equal(net_tls_counts(link.tls).handshakes, 1);
    link_close(&link);
}

static void test_client_certificates(void **state)
{
    const struct tls_fixture *fixture = *state;
    assert_refused(fixture, tls_fixture_client(fixture, NULL, TLS_FIXTURE_H2),
                   NET_TLS_CLIENT_CERTS_REQUIRED, "peer did not return a certificate", 0);
    for (size_t i = NET_TLS_CLIENT_CERTS_OPTIONAL; i <= NET_TLS_CLIENT_CERTS_REQUIRED; i++)
        assert_refused(fixture, tls_fixture_client(fixture, &fixture->stranger, TLS_FIXTURE_H2),
                       (enum net_tls_client_certs)i, "certificate verify failed", 0);
}

static void on_name(void *user, enum net_name_kind kind, struct slice name)
{
    size_t *kinds = user;
    kinds[kind]++;
    assert_true(name.len > 0);
}

static void test_names_of_the_client(void **state)
{
    const struct tls_fixture *fixture = *state;
    for (size_t i = 0; i <= NET_TLS_CLIENT_CERTS_REQUIRED; i++) {
        struct link link;
        size_t kinds[3] = {0};
        bool asked = i != NET_TLS_CLIENT_CERTS_OFF;
        link_open(&link, fixture, tls_fixture_client(fixture, &fixture->client, TLS_FIXTURE_H2),
                  (enum net_tls_client_certs)i);
        assert_false(tls_session_names(link.session, on_name, kinds)); /* nobody yet */
        assert_true(link_shake_hands(&link));
        assert_int_equal(tls_session_names(link.session, on_name, kinds), asked);
        assert_int_equal(kinds[NET_NAME_DNS], asked);
        assert_int_equal(kinds[NET_NAME_URI], asked);
        assert_int_equal(kinds[NET_NAME_SUBJECT], asked);
        link_close(&link);
    }
    struct link link;
    link_open(&link, fixture, tls_fixture_client(fixture, NULL, TLS_FIXTURE_H2),
              NET_TLS_CLIENT_CERTS_OPTIONAL);
    assert_true(link_shake_hands(&link));
    assert_false(tls_session_names(link.session, on_name, NULL));
    link_close(&link);
}

static void test_what_is_no_tls(void **state)
{
    static const char *const texts[] = {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\n",
                                        "\x15\x03\x01", "\xff"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct link link;
        link_open(&link, *state, tls_fixture_client(*state, NULL, TLS_FIXTURE_H2),
                  NET_TLS_CLIENT_CERTS_OFF);
        link_give(&link, slice_from_string(texts[i]));
        assert_string_equal(tls_session_failure(link.session),
                            "this is not a TLS handshake; this listener speaks TLS");
        assert_int_equal(net_tls_counts(link.tls).failures, 1);
        link_close(&link);
    }
}

/* A handshake in which a byte differs, or that ends early, fails or waits, and leaks nothing. */
static void test_damaged_and_truncated_handshakes(void **state)
{
    char *hello;
    struct link first;
    SSL_CTX *context = tls_fixture_client(*state, NULL, TLS_FIXTURE_H2);
    link_open(&first, *state, context, NET_TLS_CLIENT_CERTS_OFF);
    SSL_do_handshake(first.client);
    size_t len = (size_t)BIO_get_mem_data(SSL_get_wbio(first.client), &hello);
    assert_true(len > 100);
    for (size_t at = 1; at < len; at++) {
        uint8_t *bytes = mem_alloc(len);
        for (int cut = 0; cut <= 1; cut++) {
            struct tls_session *session = tls_session_new(first.tls);
            memcpy(bytes, hello, len);
            if (!cut)
                bytes[at] ^= 0x55;
            uint8_t plain[100];
            tls_session_give(session, slice_make(bytes, cut ? at : len));
            assert_int_equal(tls_session_read(session, plain, sizeof plain), 0);
            assert_false(tls_session_is_established(session));
            tls_session_free(session);
        }
        free(bytes);
    }
    link_close(&first);
}

static void test_damaged_record(void **state)
{
    struct link link;
    size_t written;
    char *bytes;
    link_open(&link, *state, tls_fixture_client(*state, NULL, TLS_FIXTURE_H2),
              NET_TLS_CLIENT_CERTS_OFF);
    assert_true(link_shake_hands(&link));
    assert_int_equal(SSL_write_ex(link.client, "hello", 5, &written), 1);
    long len = BIO_get_mem_data(SSL_get_wbio(link.client), &bytes);
    bytes[len - 1] ^= 1;
    link_pass_on(&link);
    assert_int_equal(chain_length(&link.received), 0);
    assert_non_null(tls_session_failure(link.session));
    assert_int_equal(strncmp(tls_session_failure(link.session), "TLS failed: ", 12), 0);
    assert_int_equal(net_tls_counts(link.tls).failures, 0); /* the handshake was good */
    struct chain plain = {0}, out = {0};
    memcpy(chain_append(&plain, 3), "abc", 3);
    assert_false(tls_session_write(link.session, &plain, &out));
    chain_deinit(&plain);
    chain_deinit(&out);
    link_close(&link);
}

static void test_both_say_that_they_close(void **state)
{
    static const struct chain nothing;
    struct link link;
    char byte;
    link_open(&link, *state, tls_fixture_client(*state, NULL, TLS_FIXTURE_H2),
              NET_TLS_CLIENT_CERTS_OFF);
    assert_false(tls_session_close(link.session)); /* nobody is there yet */
    link_close(&link);

    link_open(&link, *state, tls_fixture_client(*state, NULL, TLS_FIXTURE_H2),
              NET_TLS_CLIENT_CERTS_OFF);
    assert_true(link_shake_hands(&link));
    assert_false(tls_session_is_finished(link.session));
    assert_int_equal(SSL_shutdown(link.client), 0);
    link_pass_on(&link);
    assert_true(tls_session_is_finished(link.session));
    assert_null(tls_session_failure(link.session));
    assert_true(tls_session_close(link.session));
    assert_true(link_answer(&link, &nothing));
    assert_false(tls_session_close(link.session)); /* once */
    assert_int_equal(SSL_read(link.client, &byte, 1), 0);
    assert_int_equal(SSL_get_error(link.client, 0), SSL_ERROR_ZERO_RETURN);
    link_close(&link);
}

/* A ticket is good for the context that gave it. */
static void test_resumption_ends_with_a_reload(void **state)
{
    char why[NET_TLS_WHY_SIZE], byte;
    struct link link;
    link_open(&link, *state, tls_fixture_client(*state, NULL, TLS_FIXTURE_H2),
              NET_TLS_CLIENT_CERTS_OFF);
    assert_true(link_shake_hands(&link));
    SSL_read(link.client, &byte, 1); /* the ticket */
    SSL_SESSION *ticket = SSL_get1_session(link.client);
    for (int reloaded = 0; reloaded <= 1; reloaded++) {
        if (reloaded)
            assert_true(net_tls_reload(link.tls, why));
        tls_session_free(link.session);
        SSL_set_shutdown(link.client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* in order */
        SSL_free(link.client);
        link.session = tls_session_new(link.tls);
        link.client = SSL_new(link.context);
        SSL_set_bio(link.client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_connect_state(link.client);
        assert_int_equal(SSL_set_session(link.client, ticket), 1);
        assert_true(link_shake_hands(&link));
        assert_int_equal(SSL_session_reused(link.client), !reloaded);
    }
    SSL_SESSION_free(ticket);
    link_close(&link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_in_both_directions),
        cmocka_unit_test(test_small_pieces_share_a_record),
        cmocka_unit_test(test_other_protocols),
        cmocka_unit_test(test_h2_among_others),
        cmocka_unit_test(test_old_versions_and_weak_suites),
        cmocka_unit_test(test_tls_1_2_without_renegotiation),
        cmocka_unit_test(test_client_certificates),
        cmocka_unit_test(test_names_of_the_client),
        cmocka_unit_test(test_what_is_no_tls),
        cmocka_unit_test(test_damaged_and_truncated_handshakes),
        cmocka_unit_test(test_damaged_record),
        cmocka_unit_test(test_both_say_that_they_close),
        cmocka_unit_test(test_resumption_ends_with_a_reload),
    };
    return cmocka_run_group_tests(tests, tls_fixture_setup, tls_fixture_teardown);
}
