/* What a certificate says. */
#ifndef KEYSTORE_NET_CERTIFICATE_H
#define KEYSTORE_NET_CERTIFICATE_H

#include "base/slice.h"

struct x509_st;

enum net_name_kind {
    NET_NAME_DNS,     /* a DNS name of the subject's alternative names */
    NET_NAME_URI,     /* a URI of these, such as spiffe://example.org/service */
    NET_NAME_SUBJECT, /* the subject as in RFC 2253: "CN=alice,O=Example" */
};

/* Called for a name; the text is valid during the call. */
typedef void net_name_function(void *user, enum net_name_kind kind, struct slice name);

/* Calls back for each name, in the order of the kinds above. Names with a zero byte, which others
 * could take for a shorter name, are left out, and so are those for which there is no memory. */
void certificate_names(struct x509_st *certificate, net_name_function *each, void *user);

/* When it expires, in Unix seconds; false if that cannot be read. */
bool certificate_expiry(struct x509_st *certificate, int64_t *expires_s)
    __attribute__((warn_unused_result));

#endif
