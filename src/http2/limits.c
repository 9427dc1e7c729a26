/* The default limits. They have a file of their own so that another implementation of http2.h can
 * link them, too. */
#include "http2/http2.h"

const struct http2_limits http2_default_limits = {
    .max_streams = 1000,
    .stream_window = (size_t)1024 * 1024,
    .connection_window = (size_t)16 * 1024 * 1024,
    .max_header_bytes = (size_t)16 * 1024,
    .max_block_bytes = (size_t)1024 * 1024,
    .max_inflated_bytes = (size_t)4 * 1024 * 1024,
    .max_continuations = 8,
    .max_settings = 64,
    .max_idle_frames = 1000,
    .reset_burst = 200,
    .resets_per_s = 20,
    .cancel_grace_ms = 5,
    .max_output = (size_t)256 * 1024,
    .max_referenced = (size_t)1024 * 1024,
    .max_queued = (size_t)64 * 1024 * 1024,
    .max_unsent_control = 4096,
    .handshake_timeout_ms = (int64_t)10 * 1000,
    .header_timeout_ms = (int64_t)10 * 1000,
    .stall_timeout_ms = (int64_t)60 * 1000,
    .goaway_timeout_ms = (int64_t)3 * 1000,
    .keepalive_time_ms = (int64_t)300 * 1000,
    .keepalive_timeout_ms = (int64_t)20 * 1000,
    .min_ping_interval_ms = (int64_t)10 * 1000,
};
