/* Lcs, on both sides: Redis is asked once for each part of the answer. */
#include "exchange.h"

static void start_command(struct script *script, const struct keystore_lcs_request *request)
{
    script_begin(script, request->db, "LCS");
    script_bytes(script, request->key);
    script_bytes(script, request->other_key);
}

void send_lcs(const struct exchange *exchange, struct script *script)
{
    const struct keystore_lcs_request *request = &exchange->op->request.lcs_request;
    start_command(script, request);
    script_text(script, "LEN");
    script_end(script);
    if (request->want_string) {
        start_command(script, request);
        script_end(script);
    }
    if (!request->want_matches)
        return;
    start_command(script, request);
    script_text(script, "IDX");
    script_text(script, "WITHMATCHLEN");
    script_text(script, "MINMATCHLEN");
    script_number(script, (int64_t)request->min_match_length);
    script_end(script);
}

/* [[start, end], [start, end], length]. */
static void judge_match(struct judge *judge, const struct keystore_lcs_match *match,
                        const redisReply *redis)
{
    const redisReply *one = redis->element[0], *other = redis->element[1];
    judge_integer(judge, "start", match->start, one->element[0]);
    judge_integer(judge, "end", match->start + match->length - 1, one->element[1]);
    judge_integer(judge, "other start", match->other_start, other->element[0]);
    judge_integer(judge, "other end", match->other_start + match->length - 1, other->element[1]);
    judge_integer(judge, "length", match->length, redis->element[2]);
}

void judge_lcs(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_lcs_request *request = &exchange->op->request.lcs_request;
    const struct keystore_lcs_reply *ours = &exchange->ours->answer.lcs;
    redisReply **replies = exchange->replies;
    if (exchange->ours->kind == KEYSTORE_REPLY_LCS && judge_is_lcs_limit(replies[0]))
        return;
    if (!judge_errors(judge, exchange->ours, replies[0]))
        return;
    judge_integer(judge, "length", ours->length, replies[0]);
    if (request->want_string)
        judge_bytes(judge, "string", ours->value, *++replies);
    if (!request->want_matches)
        return;
    const redisReply *matches = (*++replies)->element[1];
    judge_number(judge, "matches", (int64_t)ours->count, (int64_t)matches->elements);
    for (size_t i = 0; i < ours->count && i < matches->elements; i++)
        judge_match(judge, &ours->matches[i], matches->element[i]);
}
