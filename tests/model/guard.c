/* Conditions as Redis sees them. */
#include "guard.h"

#include "versions.h"

static const char text[] =
    "local at, there = 1, {}\n"
    "for k = 1, #KEYS do\n"
    "  local existence, version, match, value, wanted = unpack(ARGV, at, at + 4)\n"
    "  at = at + 5\n"
    "  local kind = redis.call('TYPE', KEYS[k]).ok\n"
    "  local string = kind == 'string' and redis.call('GET', KEYS[k])\n"
    "  there[k] = kind ~= 'none'\n"
    "  if (wanted ~= '' and there[k] and kind ~= wanted)\n"
    "      or (match == 'strict' and kind == 'list') then\n"
    "    return redis.error_reply('WRONGTYPE of the guard')\n"
    "  end\n"
    "  if (existence == 'absent' and there[k]) or (existence == 'present' and not there[k])\n"
    "      or version == 'wrong' or (version == 'right' and not there[k])\n"
    "      or (match ~= '' and string ~= value) then\n"
    "    return {0, k, string, kind}\n"
    "  end\n"
    "end\n"
    "local first\n"
    "while at <= #ARGV do\n"
    "  local count = tonumber(ARGV[at + 1])\n"
    "  if ARGV[at] == 'always' or not there[1] then\n"
    "    local result = redis.call(unpack(ARGV, at + 2, at + 1 + count))\n"
    "    if first == nil then first = result end\n"
    "  end\n"
    "  at = at + 2 + count\n"
    "end\n"
    "return {1, 0, first or false}\n";

void guard_begin(struct script *script, uint32_t db, size_t keys)
{
    script_begin(script, db, "EVAL");
    script_text(script, text);
    script_number(script, (int64_t)keys);
}

static const char *version_of(const struct keystore_condition *condition)
{
    if (condition->version == 0)
        return "";
    enum version_wish wish = ((const struct step_condition *)condition)->wish;
    return wish == VERSION_RIGHT && condition->version != VERSION_NONE ? "right" : "wrong";
}

static void add(struct script *script, const struct keystore_condition *condition,
                const char *match, enum guard_type type)
{
    static const char *const existences[] = {"", "absent", "present"};
    static const char *const types[] = {"", "string", "list"};
    static const struct keystore_condition none;
    if (condition == NULL)
        condition = &none;
    script_text(script, existences[condition->existence]);
    script_text(script, version_of(condition));
    script_text(script, condition->match_value ? match : "");
    script_bytes(script, condition->value);
    script_text(script, types[type]);
}

void guard_condition(struct script *script, const struct keystore_condition *condition,
                     enum guard_type type)
{
    add(script, condition, "strict", type);
}

void guard_compare(struct script *script, const struct keystore_condition *condition)
{
    add(script, condition, "lenient", GUARD_ANY);
}

void guard_command(struct script *script, size_t words)
{
    script_text(script, "always");
    script_number(script, (int64_t)words);
}

void guard_command_if_new(struct script *script, size_t words)
{
    script_text(script, "new");
    script_number(script, (int64_t)words);
}

bool guard_held(const redisReply *reply)
{
    return reply->element[0]->integer == 1;
}

bool guard_met_list(const redisReply *reply)
{
    return !guard_held(reply) && strcmp(reply->element[3]->str, "list") == 0;
}

const redisReply *guard_result(const redisReply *reply)
{
    return reply->element[2];
}
