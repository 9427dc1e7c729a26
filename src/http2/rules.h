/* Validation of the header fields of requests (RFC 9113, 8); private to http2. */
#ifndef KEYSTORE_HTTP2_RULES_H
#define KEYSTORE_HTTP2_RULES_H

#include "http2/http2.h"

/* The state of validating one header block. Zero at its start, except content_length. */
struct rules {
    bool trailers;     /* a trailer section: no pseudo-header fields */
    bool regular_seen; /* pseudo-header fields must come before regular ones */
    unsigned pseudo;   /* those seen: bits of enum rules_pseudo */
    bool host_seen;
    bool connect; /* :method is CONNECT */
    bool options;
    bool web_scheme; /* http or https, whose paths start with a slash */
    bool path_is_regular;
    bool path_is_asterisk;
    int64_t content_length; /* -1 without such a field */
};

enum rules_verdict {
    RULES_GOOD,
    RULES_MALFORMED, /* the request is malformed: reset the stream */
};

void rules_init(struct rules *rules, bool trailers);

/* Checks the next field. */
enum rules_verdict rules_check_field(struct rules *rules, struct slice name, struct slice value);

/* Checks the complete block: true if no required field is missing. */
bool rules_check_end(const struct rules *rules);

#endif
