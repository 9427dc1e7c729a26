/* A table of names. Does not know what the commands do to their keys. */
#include "journal/log/command_keys.h"

#include "base/arena.h"

/* Which arguments are keys that may be written; the name is argument 0. */
enum written {
    NONE,          /* no data */
    FIRST,         /* 1 */
    SECOND,        /* 2 */
    BOTH,          /* 1 and 2 */
    ALL,           /* from 1 on */
    PAIRS,         /* every second one from 1 on */
    COUNTED_PAIRS, /* 1 is a number of pairs, which follow */
    STORED,        /* the one after STORE or STOREDIST */
};

/* The commands that servers log, without those of modules: those of Redis up to 8 and Valkey up to
 * 9. */
static const struct {
    enum written written;
    const char *names; /* each between two spaces */
} rows[] = {
    {FIRST, " SET SETNX SETEX PSETEX GETSET GETDEL GETEX APPEND SETRANGE INCR DECR INCRBY DECRBY "},
    {FIRST, " INCRBYFLOAT SETBIT BITFIELD PFADD PFMERGE DELIFEQ DELEX RESTORE RESTORE-ASKING "},
    {FIRST, " EXPIRE PEXPIRE EXPIREAT PEXPIREAT PERSIST LPUSH RPUSH LPUSHX RPUSHX LPOP RPOP "},
    {FIRST, " LSET LINSERT LREM LTRIM MOVE "},
    {BOTH, " RENAME RENAMENX COPY RPOPLPUSH LMOVE SMOVE "},
    {ALL, " DEL UNLINK PFCOUNT "},
    {PAIRS, " MSET MSETNX "},
    {COUNTED_PAIRS, " MSETEX "},
    {SECOND, " BITOP XGROUP PFDEBUG "},
    {STORED, " SORT GEORADIUS GEORADIUSBYMEMBER "},
    {FIRST, " SADD SREM SPOP SINTERSTORE SUNIONSTORE SDIFFSTORE "},
    {FIRST, " ZADD ZINCRBY ZREM ZREMRANGEBYSCORE ZREMRANGEBYRANK ZREMRANGEBYLEX ZPOPMIN ZPOPMAX "},
    {FIRST, " ZUNIONSTORE ZINTERSTORE ZDIFFSTORE ZRANGESTORE GEOADD GEOSEARCHSTORE "},
    {FIRST, " HSET HSETNX HMSET HINCRBY HINCRBYFLOAT HDEL HEXPIRE HPEXPIRE HEXPIREAT HPEXPIREAT "},
    {FIRST, " HPERSIST HSETEX HGETEX HGETDEL "},
    {FIRST, " XADD XDEL XTRIM XSETID XACK XCLAIM XAUTOCLAIM XDELEX XACKDEL XCFGSET "},
    {FIRST, " VADD VREM VSETATTR "},
    {NONE, " FUNCTION "},
};

/* True if the name is one of these, in any case. */
static bool command_keys_is_among(struct slice name, const char *names)
{
    for (const char *at = names + 1; *at != '\0'; at++) {
        size_t len = strcspn(at, " ");
        size_t same = 0;
        while (same < len && len == name.len &&
               (name.data[same] == (uint8_t)at[same] ||
                (name.data[same] >= 'a' && name.data[same] - 'a' + 'A' == at[same])))
            same++;
        if (same == len && len == name.len)
            return true;
        at += len;
    }
    return false;
}

static bool command_keys_find_written(struct slice name, enum written *written)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (command_keys_is_among(name, rows[i].names)) {
            *written = rows[i].written;
            return true;
        }
    }
    return false;
}

/* Adds the arguments from `index` on, `step` apart, at most `most`. */
static void command_keys_add(const struct scan_command *command, size_t index, size_t step,
                             size_t most, struct slice *keys, size_t *count)
{
    for (; index < command->count && most > 0; index += step, most--)
        keys[(*count)++] = command->args[index];
}

static void command_keys_add_stored(const struct scan_command *command, struct slice *keys,
                                    size_t *count)
{
    for (size_t i = 2; i + 1 < command->count; i++) {
        if (resp_is_word(command->args[i], "STORE") || resp_is_word(command->args[i], "STOREDIST"))
            keys[(*count)++] = command->args[i + 1];
    }
}

bool command_keys(const struct scan_command *command, struct arena *arena, struct slice **keys,
                  size_t *count)
{
    enum written written;
    *count = 0;
    *keys = arena_alloc(arena, command->count * sizeof **keys);
    if (!command_keys_find_written(command->args[0], &written))
        return false;
    switch (written) {
    case NONE:
        break;
    case FIRST:
        command_keys_add(command, 1, 1, 1, *keys, count);
        break;
    case SECOND:
        command_keys_add(command, 2, 1, 1, *keys, count);
        break;
    case BOTH:
        command_keys_add(command, 1, 1, 2, *keys, count);
        break;
    case ALL:
        command_keys_add(command, 1, 1, command->count, *keys, count);
        break;
    case PAIRS:
        command_keys_add(command, 1, 2, command->count, *keys, count);
        break;
    case COUNTED_PAIRS: /* words after the pairs are taken for keys, which does no harm */
        command_keys_add(command, 2, 2, command->count, *keys, count);
        break;
    case STORED:
        command_keys_add_stored(command, *keys, count);
        break;
    }
    return true;
}
