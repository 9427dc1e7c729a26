/* What RFC 9113, 8 demands of a request's header fields; private to http2. */
#ifndef KEYSTORE_HTTP2_RULES_H
#define KEYSTORE_HTTP2_RULES_H

#include "http2/http2.h"

/* What was seen of one header block so far. All but content_length zero at its beginning. */
struct rules {
    bool trailers;     /* the block ends a body, so it has no pseudo-header fields */
    bool regular_seen; /* pseudo-header fields must come before */
    unsigned pseudo;   /* which of them were seen: enum rules_pseudo */
    bool host_seen;
    bool connect; /* :method is CONNECT */
    bool options;
    bool web_scheme; /* http or https, whose paths begin with a slash */
    bool path_is_regular;
    bool path_is_asterisk;
    int64_t content_length; /* -1 until it is stated */
};

enum rules_verdict {
    RULES_GOOD,
    RULES_MALFORMED, /* the request is malformed: reset the stream */
};

void rules_init(struct rules *rules, bool trailers);

/* Judges the next field. */
enum rules_verdict rules_check_field(struct rules *rules, struct slice name, struct slice value);

/* Judges the whole block: true if nothing is missing. */
bool rules_check_end(const struct rules *rules);

#endif
