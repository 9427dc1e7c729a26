/* Renames every function that http2/http2.h declares, so that nghttp2_session.c can be linked
 * together with src/http2. Included before anything else (gcc -include). */
#ifndef KEYSTORE_TESTS_ORACLE_RENAME_H
#define KEYSTORE_TESTS_ORACLE_RENAME_H

#define http2_context_new          oracle_http2_context_new
#define http2_context_free         oracle_http2_context_free
#define http2_session_new          oracle_http2_session_new
#define http2_session_free         oracle_http2_session_free
#define http2_session_feed         oracle_http2_session_feed
#define http2_session_place        oracle_http2_session_place
#define http2_session_feed_placed  oracle_http2_session_feed_placed
#define http2_session_pull         oracle_http2_session_pull
#define http2_session_queued       oracle_http2_session_queued
#define http2_session_owed         oracle_http2_session_owed
#define http2_session_finished     oracle_http2_session_finished
#define http2_session_check        oracle_http2_session_check
#define http2_session_expired      oracle_http2_session_expired
#define http2_session_closing      oracle_http2_session_closing
#define http2_session_end          oracle_http2_session_end
#define http2_session_drain        oracle_http2_session_drain
#define http2_session_sent         oracle_http2_session_sent
#define http2_session_visit        oracle_http2_session_visit
#define http2_session_open_streams oracle_http2_session_open_streams
#define http2_context_reset_counts oracle_http2_context_refused
#define http2_stream_user          oracle_http2_stream_user
#define http2_stream_from_user     oracle_http2_stream_from_user
#define http2_answer_begin         oracle_http2_answer_begin
#define http2_answer_body          oracle_http2_answer_body
#define http2_answer_end           oracle_http2_answer_end
#define http2_answer_continue      oracle_http2_answer_continue
#define http2_answer_without_body  oracle_http2_answer_without_body
#define http2_reply_begin          oracle_http2_reply_begin
#define http2_reply_ready          oracle_http2_reply_ready
#define http2_reply_end            oracle_http2_reply_end
#define http2_reply_abort          oracle_http2_reply_abort
#define http2_stream_parked        oracle_http2_stream_parked
#define http2_request_hold         oracle_http2_request_hold
#define http2_request_expect       oracle_http2_request_expect

#endif
