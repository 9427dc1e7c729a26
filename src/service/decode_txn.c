/* Txn: operations within an operation. The operation table says which they may be. */
#include "base/field_path.h"
#include "service/decode_op.h"
#include "service/field.h"

/* By the number of the field of Op. */
static const struct {
    decode_function *fill; /* NULL: Op has no such field */
    enum op_kind kind;
} rows[] = {
#define OPERATION(kind_, method, request, ...)                                                     \
    [KEYSTORE__V1__OP__OP_##kind_] = {.fill = decode_##request, .kind = OP_##kind_},
#define OPERATION_ALONE(...)
#include "store/operations.def"
#undef OPERATION
};

static bool decode_op_is_known(const Keystore__V1__Op *message)
{
    size_t field = (size_t)message->op_case;
    return field < sizeof rows / sizeof rows[0] && rows[field].fill != NULL;
}

enum err decode_op(const Keystore__V1__Op *message, struct arena *arena, struct op *op,
                   const char **why)
{
    op->id = message->id;
    if (!decode_op_is_known(message)) {
        *why = "it has no operation that this server knows; set one field of Op.op";
        return ERR_BAD_ARGUMENT;
    }
    op->kind = rows[message->op_case].kind;
    return rows[message->op_case].fill(message->set, arena, op,
                                       why); /* the message of that union */
}

/* Operations within the Txn, with its clock and limits. NULL if there is no memory for them. */
static struct op *decode_txn_make_ops(const struct op *txn, size_t count, struct arena *arena)
{
    struct op *ops = arena_unfold(arena, count * sizeof *ops);
    for (size_t i = 0; ops != NULL && i < count; i++)
        ops[i] = (struct op){
            .now_ms = txn->now_ms, .max_answer = txn->max_answer, .max_value = txn->max_value};
    return ops;
}

static enum err decode_txn_ops(Keystore__V1__Op *const *messages, size_t count, const char *field,
                               struct arena *arena, struct op *ops, const char **why)
{
    for (size_t i = 0; i < count; i++) {
        enum err err = decode_op(messages[i], arena, &ops[i], why);
        if (err != ERR_NONE) {
            char name[OP_FIELD_SIZE];
            if (decode_op_is_known(messages[i]))
                *why = field_path_within(arena, *why, "%s", op_field(ops[i].kind, name));
            *why = field_path_within(arena, *why, "%s[%zu]", field, i);
            return err;
        }
        if (op_waits(&ops[i])) /* which it cannot within a transaction; as in Redis */
            ops[i].move.take = NULL;
    }
    return ERR_NONE;
}

/* A compare without a condition would always hold, which nobody can want: it is an error. */
static enum err decode_txn_compare(const Keystore__V1__TxnRequest__Compare *message,
                                   struct op *compare, const char **why)
{
    compare->kind = OP_GET; /* it reads its key */
    compare->key = field_slice(message->key);
    compare->db = message->db;
    enum err err = field_condition(message->condition, &compare->condition, why);
    if (err != ERR_NONE)
        return err;
    compare->compare.has_since =
        message->since_case == KEYSTORE__V1__TXN_REQUEST__COMPARE__SINCE_UNCHANGED_SINCE;
    if (compare->compare.has_since) {
        compare->compare.since = message->unchanged_since;
        return ERR_NONE;
    }
    const struct condition *condition = &compare->condition;
    if (condition->existence == EXISTENCE_ANY && condition->version == 0 && !condition->match_value)
        return field_refuse(
            "condition: it compares nothing; set unchanged_since, or existence, version or "
            "match_value of its condition",
            why);
    return ERR_NONE;
}

static enum err decode_txn_compares(const Keystore__V1__TxnRequest *request, struct arena *arena,
                                    struct op *compares, const char **why)
{
    for (size_t i = 0; i < request->n_compares; i++) {
        enum err err = decode_txn_compare(request->compares[i], &compares[i], why);
        if (err != ERR_NONE) {
            *why = field_path_within(arena, *why, "compares[%zu]", i);
            return err;
        }
    }
    return ERR_NONE;
}

enum err decode_txn_request(const void *message, struct arena *arena, struct op *op,
                            const char **why)
{
    const Keystore__V1__TxnRequest *request = message;
    struct op_txn *txn = arena_alloc(arena, sizeof *txn);
    *txn = (struct op_txn){.compares = decode_txn_make_ops(op, request->n_compares, arena),
                           .compare_count = request->n_compares,
                           .else_ops = decode_txn_make_ops(op, request->n_failure, arena),
                           .else_count = request->n_failure};
    op->ops = decode_txn_make_ops(op, request->n_success, arena);
    op->op_count = request->n_success;
    op->txn = txn;
    if (txn->compares == NULL || txn->else_ops == NULL || op->ops == NULL)
        return field_refuse_memory(arena, why);
    enum err err = decode_txn_compares(request, arena, txn->compares, why);
    if (err == ERR_NONE)
        err = decode_txn_ops(request->success, request->n_success, "success", arena, op->ops, why);
    if (err == ERR_NONE)
        err = decode_txn_ops(request->failure, request->n_failure, "failure", arena, txn->else_ops,
                             why);
    return err;
}
