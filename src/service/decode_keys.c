/* The requests about keys of any type: from protobuf-c's structs to struct op. */
#include "service/decode.h"
#include "service/field.h"

enum err decode_keys(const void *message, struct arena *arena, struct op *op, const char **why)
{
    const Keystore__V1__Keys *request = message;
    op->db = request->db;
    return field_keys(request->keys, request->n_keys, arena, op, why);
}

/* The deadline that an Expire or GetEx requests, in at most one of three ways. */
static enum err decode_keys_deadline(const Keystore__V1__ExpireRequest *request, struct op *op,
                                     const char **why)
{
    op->expire.persist = request->persist;
    if (request->persist && (request->ttl_ms != 0 || request->expire_at_ms != 0))
        return field_refuse("persist: it is given with a new time to live; give one of them", why);
    return field_deadline(request->ttl_ms, request->expire_at_ms, op, why);
}

enum err decode_expire_request(const void *message, struct arena *arena, struct op *op,
                               const char **why)
{
    const Keystore__V1__ExpireRequest *request = message;
    op->key = field_slice(request->key);
    op->db = request->db;
    if ((int)request->when < OP_ALWAYS || (int)request->when > OP_SOONER)
        return field_refuse("when: there is no such value; it is 0 to 4, see enum When", why);
    op->expire.when = (enum op_when)request->when;
    enum err err = decode_keys_deadline(request, op, why);
    if (err != ERR_NONE)
        return err;
    bool changes = op->expire_at_ms != 0 || op->expire.persist;
    if (op->kind == OP_EXPIRE && !changes)
        return field_refuse(
            "ttl_ms: neither it nor expire_at_ms or persist is given; give one of them", why);
    err = field_expect(op, op->expire.when != OP_ALWAYS, OP_TAKES_WHEN, "when", arena, why);
    if (err != ERR_NONE)
        return err;
    if (op->expire.when != OP_ALWAYS && op->expire.persist)
        return field_refuse("when: it is given with persist; it is for a new time to live", why);
    return ERR_NONE;
}

enum err decode_copy_request(const void *message, struct arena *arena, struct op *op,
                             const char **why)
{
    (void)arena;
    const Keystore__V1__CopyRequest *request = message;
    op->key = field_slice(request->source);
    op->target.bytes = field_slice(request->target);
    op->db = request->db;
    op->target_db = request->db;
    if (request->target_database_case == KEYSTORE__V1__COPY_REQUEST__TARGET_DATABASE_TARGET_DB)
        op->target_db = request->target_db;
    op->copy.replace = request->replace;
    op->copy.absent_only = request->absent_only;
    if (op->copy.replace && !op_is(op->kind, OP_TAKES_REPLACE))
        return field_refuse(
            "replace: it is for Copy; Rename replaces the target unless absent_only is "
            "set",
            why);
    if (op->copy.absent_only && !op_is(op->kind, OP_TAKES_ABSENT_ONLY))
        return field_refuse(
            "absent_only: it is for Rename; Copy leaves a target alone unless replace "
            "is set",
            why);
    return ERR_NONE;
}

enum err decode_db_request(const void *message, struct arena *arena, struct op *op,
                           const char **why)
{
    (void)arena;
    (void)why;
    const Keystore__V1__DbRequest *request = message;
    op->db = request->db;
    return ERR_NONE;
}

enum err decode_swap_request(const void *message, struct arena *arena, struct op *op,
                             const char **why)
{
    (void)arena;
    (void)why;
    const Keystore__V1__SwapRequest *request = message;
    op->db = request->db;
    op->target_db = request->other_db;
    return ERR_NONE;
}
