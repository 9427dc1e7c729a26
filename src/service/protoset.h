/*
 * The descriptors of the services that this server has, and of the details of its errors, which
 * protoc made of the files in proto/ and which are compiled in. For server reflection.
 */
#ifndef KEYSTORE_SERVICE_PROTOSET_H
#define KEYSTORE_SERVICE_PROTOSET_H

#include "base/slice.h"

struct protoset;

/*
 * With `bytes_as_text`, fields of type bytes are declared as strings, which look the same on the
 * wire, so that tools show them as text. Free with protoset_free(). Does not change after this,
 * so all threads may use it.
 */
struct protoset *protoset_new(bool bytes_as_text);

/* NULL is allowed. */
void protoset_free(struct protoset *protoset);

/* The functions below return serialized google.protobuf.FileDescriptorProtos, valid as long as the
 * descriptors are; a slice without data means: none. A file's imports are found by their names. */

/* The file with that name, such as "mini_redis.proto". */
struct slice protoset_file_named(const struct protoset *protoset, struct slice name);

/* The file that declares the symbol: the full name, such as "keystore.v1.KeyStore.Set", of a
 * service, method, message, field, oneof, enum or enum value. */
struct slice protoset_file_with(const struct protoset *protoset, struct slice symbol);

/* Calls `visit` for each service, with its package and its name. */
void protoset_each_service(const struct protoset *protoset,
                           void (*visit)(void *user, struct slice package, struct slice name),
                           void *user);

#endif
