/*
 * Validation of request header fields as RFC 9113 requires, except that :authority and host are not
 * checked. Character sets are checked by nghttp2's public functions.
 */
#include "http2/rules.h"

#include <nghttp2/nghttp2.h>
#include <strings.h>

enum rules_pseudo {
    PSEUDO_METHOD = 1,
    PSEUDO_SCHEME = 2,
    PSEUDO_PATH = 4,
    PSEUDO_AUTHORITY = 8,
};

void rules_init(struct rules *rules, bool trailers)
{
    *rules = (struct rules){.trailers = trailers, .content_length = -1};
}

static bool rules_is(struct slice text, const char *literal)
{
    return slice_equal(text, slice_from_string(literal));
}

static bool rules_is_in_any_case(struct slice text, const char *literal)
{
    return text.len == strlen(literal) &&
           strncasecmp((const char *)text.data, literal, text.len) == 0;
}

/* Each pseudo-header field may occur once. */
static enum rules_verdict rules_note_pseudo(struct rules *rules, enum rules_pseudo which)
{
    if ((rules->pseudo & which) != 0)
        return RULES_MALFORMED;
    rules->pseudo |= which;
    return RULES_GOOD;
}

static enum rules_verdict rules_check_method(struct rules *rules, struct slice value)
{
    if (value.len == 0 || !nghttp2_check_method(value.data, value.len))
        return RULES_MALFORMED;
    rules->connect = rules_is(value, "CONNECT");
    rules->options = rules_is(value, "OPTIONS");
    return rules_note_pseudo(rules, PSEUDO_METHOD);
}

static bool rules_is_scheme(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        uint8_t byte = value.data[i];
        bool letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
        bool other = (byte >= '0' && byte <= '9') || byte == '+' || byte == '-' || byte == '.';
        if (!letter && (i == 0 || !other))
            return false;
    }
    return value.len > 0;
}

static enum rules_verdict rules_check_scheme(struct rules *rules, struct slice value)
{
    if (!rules_is_scheme(value))
        return RULES_MALFORMED;
    rules->web_scheme = rules_is_in_any_case(value, "http") || rules_is_in_any_case(value, "https");
    return rules_note_pseudo(rules, PSEUDO_SCHEME);
}

static enum rules_verdict rules_check_path(struct rules *rules, struct slice value)
{
    if (value.len == 0 || !nghttp2_check_path(value.data, value.len))
        return RULES_MALFORMED;
    enum rules_verdict verdict = rules_note_pseudo(rules, PSEUDO_PATH);
    if (verdict == RULES_GOOD) {
        rules->path_is_regular = value.data[0] == '/';
        rules->path_is_asterisk = rules_is(value, "*");
    }
    return verdict;
}

/*
 * Any text is accepted as the name of the server: nothing depends on it. Over a unix socket gRPC
 * clients send the path of the socket, plain or percent-encoded, or nothing.
 */
static bool rules_is_name_of_server(struct slice value)
{
    return nghttp2_check_header_value_rfc9113(value.data, value.len) != 0;
}

static enum rules_verdict rules_check_pseudo(struct rules *rules, struct slice name,
                                             struct slice value)
{
    if (rules->trailers || rules->regular_seen)
        return RULES_MALFORMED;
    if (rules_is(name, ":path"))
        return rules_check_path(rules, value);
    if (rules_is(name, ":method"))
        return rules_check_method(rules, value);
    if (rules_is(name, ":scheme"))
        return rules_check_scheme(rules, value);
    if (rules_is(name, ":authority") && rules_is_name_of_server(value))
        return rules_note_pseudo(rules, PSEUDO_AUTHORITY);
    return RULES_MALFORMED;
}

static enum rules_verdict rules_check_content_length(struct rules *rules, struct slice value)
{
    int64_t length = 0;
    if (rules->content_length >= 0 || value.len == 0)
        return RULES_MALFORMED;
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9' ||
            __builtin_mul_overflow(length, 10, &length) ||
            __builtin_add_overflow(length, value.data[i] - '0', &length))
            return RULES_MALFORMED;
    }
    rules->content_length = length;
    return RULES_GOOD;
}

static enum rules_verdict rules_check_host(struct rules *rules, struct slice value)
{
    if (rules->host_seen || !rules_is_name_of_server(value))
        return RULES_MALFORMED;
    rules->host_seen = true;
    return RULES_GOOD;
}

/* Connection-specific header fields of HTTP/1 (RFC 9113, 8.2.2). */
static bool rules_is_connection_field(struct slice name)
{
    return rules_is(name, "connection") || rules_is(name, "keep-alive") ||
           rules_is(name, "proxy-connection") || rules_is(name, "transfer-encoding") ||
           rules_is(name, "upgrade");
}

static enum rules_verdict rules_check_regular(struct rules *rules, struct slice name,
                                              struct slice value)
{
    if (rules_is(name, "te"))
        return rules_is_in_any_case(value, "trailers") ? RULES_GOOD : RULES_MALFORMED;
    if (rules_is(name, "content-length"))
        return rules_check_content_length(rules, value);
    if (rules_is(name, "host"))
        return rules_check_host(rules, value);
    if (rules_is_connection_field(name))
        return RULES_MALFORMED;
    return nghttp2_check_header_value_rfc9113(value.data, value.len) ? RULES_GOOD : RULES_MALFORMED;
}

enum rules_verdict rules_check_field(struct rules *rules, struct slice name, struct slice value)
{
    if (name.len > 0 && name.data[0] == ':')
        return rules_check_pseudo(rules, name, value);
    rules->regular_seen = true;
    if (!nghttp2_check_header_name(name.data, name.len))
        return RULES_MALFORMED;
    return rules_check_regular(rules, name, value);
}

bool rules_check_end(const struct rules *rules)
{
    const unsigned needed = PSEUDO_METHOD | PSEUDO_SCHEME | PSEUDO_PATH;
    if (rules->trailers)
        return true;
    if (rules->connect)
        return (rules->pseudo & (PSEUDO_SCHEME | PSEUDO_PATH)) == 0 &&
               (rules->pseudo & PSEUDO_AUTHORITY) != 0;
    if ((rules->pseudo & needed) != needed)
        return false;
    return !rules->web_scheme || rules->path_is_regular ||
           (rules->options && rules->path_is_asterisk);
}
