/*
 * Searches serialized descriptors instead of decoding them: there are few, and tools ask seldom.
 * The field numbers are those of google/protobuf/descriptor.proto.
 */
#include "service/protoset.h"

#include "base/check.h"
#include "base/mem.h"
#include "service/wire.h"

#include <stdlib.h>

extern const unsigned char keystore_protoset[];
extern const size_t keystore_protoset_size;

struct protoset {
    size_t size;
    uint8_t set[]; /* a FileDescriptorSet */
};

enum { SET_FILE = 1 };
enum { FILE_NAME = 1, FILE_PACKAGE = 2, FILE_MESSAGE = 4, FILE_ENUM, FILE_SERVICE, FILE_EXTENSION };
enum { MESSAGE_FIELD = 2, MESSAGE_MESSAGE, MESSAGE_ENUM, MESSAGE_EXTENSION = 6, MESSAGE_ONEOF = 8 };
enum { ENUM_VALUE = 2 };
enum { SERVICE_METHOD = 2 };
enum { FIELD_TYPE = 5 };
enum { TYPE_STRING = 9, TYPE_BYTES = 12 };
/* Of everything that has a name. */
enum { NAME = 1 };

/* ---- reading ---- */

struct descriptor_field {
    unsigned number;
    struct slice content; /* of a message, string or bytes */
    const uint8_t *value; /* where a varint is, else NULL */
};

/* The bytes come from protoc, so they are well-formed. */
static uint64_t protoset_read_varint(struct slice *rest)
{
    uint64_t number = 0;
    for (unsigned shift = 0;; shift += 7) {
        CHECK(rest->len > 0 && shift < 64);
        uint8_t byte = rest->data[0];
        *rest = slice_skip(*rest, 1);
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return number;
    }
}

/* Takes the next field from `rest`; false at the end. Descriptors have no fields of fixed size but
 * for options, which the files do not use. */
static bool protoset_next(struct slice *rest, struct descriptor_field *field)
{
    if (rest->len == 0)
        return false;
    uint64_t tag = protoset_read_varint(rest);
    *field = (struct descriptor_field){.number = (unsigned)(tag >> 3)};
    if ((tag & 7) == WIRE_VARINT) {
        field->value = rest->data;
        protoset_read_varint(rest);
        return true;
    }
    CHECK((tag & 7) == WIRE_BYTES);
    uint64_t size = protoset_read_varint(rest);
    CHECK(size <= rest->len);
    field->content = slice_make(rest->data, size);
    *rest = slice_skip(*rest, size);
    return true;
}

/* The string with that number; empty if there is none. */
static struct slice protoset_string(struct slice message, unsigned number)
{
    struct descriptor_field field;
    while (protoset_next(&message, &field))
        if (field.number == number)
            return field.content;
    return SLICE_LITERAL("");
}

/* ---- symbols ---- */

enum scope { SCOPE_NONE, SCOPE_FILE, SCOPE_MESSAGE, SCOPE_ENUM, SCOPE_SERVICE };

/* What the field of a scope declares. */
static bool protoset_declares(enum scope scope, unsigned number, enum scope *inner)
{
    static const struct {
        enum scope scope;
        unsigned number;
        enum scope inner;
    } declarations[] = {
        {SCOPE_FILE, FILE_MESSAGE, SCOPE_MESSAGE},
        {SCOPE_FILE, FILE_ENUM, SCOPE_ENUM},
        {SCOPE_FILE, FILE_SERVICE, SCOPE_SERVICE},
        {SCOPE_FILE, FILE_EXTENSION, SCOPE_NONE},
        {SCOPE_MESSAGE, MESSAGE_FIELD, SCOPE_NONE},
        {SCOPE_MESSAGE, MESSAGE_MESSAGE, SCOPE_MESSAGE},
        {SCOPE_MESSAGE, MESSAGE_ENUM, SCOPE_ENUM},
        {SCOPE_MESSAGE, MESSAGE_EXTENSION, SCOPE_NONE},
        {SCOPE_MESSAGE, MESSAGE_ONEOF, SCOPE_NONE},
        {SCOPE_ENUM, ENUM_VALUE, SCOPE_NONE},
        {SCOPE_SERVICE, SERVICE_METHOD, SCOPE_NONE},
    };
    for (size_t i = 0; i < sizeof declarations / sizeof declarations[0]; i++) {
        *inner = declarations[i].inner;
        if (declarations[i].scope == scope && declarations[i].number == number)
            return true;
    }
    return false;
}

/* Removes `name` and a dot from the start of the symbol; false if it does not start so. */
static bool protoset_enter(struct slice name, struct slice *symbol)
{
    if (symbol->len <= name.len || !slice_starts_with(*symbol, name) ||
        symbol->data[name.len] != '.')
        return false;
    *symbol = slice_skip(*symbol, name.len + 1);
    return true;
}

/* The scopes are as deep as messages are nested. Values of an enum are declared beside it, not in
 * it. */
static bool protoset_has(enum scope scope, struct slice message, struct slice symbol)
{
    struct descriptor_field field;
    while (protoset_next(&message, &field)) {
        enum scope inner;
        if (!protoset_declares(scope, field.number, &inner))
            continue;
        struct slice name = protoset_string(field.content, NAME), rest = symbol;
        if (slice_equal(name, symbol))
            return true;
        if (inner != SCOPE_ENUM && !protoset_enter(name, &rest))
            continue;
        if (inner != SCOPE_NONE && protoset_has(inner, field.content, rest))
            return true;
    }
    return false;
}

/* ---- files ---- */

static struct slice protoset_set(const struct protoset *protoset)
{
    return slice_make(protoset->set, protoset->size);
}

struct slice protoset_file_named(const struct protoset *protoset, struct slice name)
{
    struct slice rest = protoset_set(protoset);
    struct descriptor_field file;
    while (protoset_next(&rest, &file))
        if (slice_equal(protoset_string(file.content, FILE_NAME), name))
            return file.content;
    return (struct slice){0};
}

struct slice protoset_file_with(const struct protoset *protoset, struct slice symbol)
{
    struct slice rest = protoset_set(protoset);
    struct descriptor_field file;
    while (protoset_next(&rest, &file)) {
        struct slice inner = symbol;
        if (protoset_enter(protoset_string(file.content, FILE_PACKAGE), &inner) &&
            protoset_has(SCOPE_FILE, file.content, inner))
            return file.content;
    }
    return (struct slice){0};
}

void protoset_each_service(const struct protoset *protoset,
                           void (*visit)(void *user, struct slice package, struct slice name),
                           void *user)
{
    struct slice files = protoset_set(protoset);
    struct descriptor_field file, service;
    while (protoset_next(&files, &file)) {
        struct slice package = protoset_string(file.content, FILE_PACKAGE);
        struct slice rest = file.content;
        while (protoset_next(&rest, &service))
            if (service.number == FILE_SERVICE)
                visit(user, package, protoset_string(service.content, NAME));
    }
}

/* ---- bytes as text ---- */

/* Both types are varints of one byte, so the one can be replaced by the other in place. */
static void protoset_declare_text(struct slice field)
{
    struct descriptor_field part;
    while (protoset_next(&field, &part))
        if (part.number == FIELD_TYPE && part.value != NULL && *part.value == TYPE_BYTES)
            *(uint8_t *)part.value = TYPE_STRING;
}

static void protoset_convert(enum scope scope, struct slice message)
{
    struct descriptor_field part;
    while (protoset_next(&message, &part)) {
        enum scope inner;
        if (scope == SCOPE_MESSAGE && part.number == MESSAGE_FIELD)
            protoset_declare_text(part.content);
        else if (protoset_declares(scope, part.number, &inner) && inner == SCOPE_MESSAGE)
            protoset_convert(inner, part.content);
    }
}

struct protoset *protoset_new(bool bytes_as_text)
{
    struct protoset *protoset = mem_alloc(sizeof *protoset + keystore_protoset_size);
    protoset->size = keystore_protoset_size;
    memcpy(protoset->set, keystore_protoset, keystore_protoset_size);
    struct slice files = protoset_set(protoset);
    struct descriptor_field file;
    while (bytes_as_text && protoset_next(&files, &file))
        protoset_convert(SCOPE_FILE, file.content);
    return protoset;
}

void protoset_free(struct protoset *protoset)
{
    free(protoset);
}
