/* Compiled twice: for our session, and under tests/oracle/rename.h for nghttp2's. */
#include "side.h"

const struct side SIDE = {
    .name = SIDE_NAME,
    .context_new = http2_context_new,
    .context_free = http2_context_free,
    .session_new = http2_session_new,
    .session_free = http2_session_free,
    .feed = http2_session_feed,
    .pull = http2_session_pull,
    .queued = http2_session_queued,
    .finished = http2_session_finished,
    .drain = http2_session_drain,
    .stream_user = http2_stream_user,
    .answer_begin = http2_answer_begin,
    .answer_body = http2_answer_body,
    .answer_end = http2_answer_end,
    .answer_without_body = http2_answer_without_body,
    .reply_begin = http2_reply_begin,
    .reply_ready = http2_reply_ready,
    .reply_end = http2_reply_end,
};
