/* Our HTTP/2 session against nghttp2's (tests/differential/): the same bytes must have the same
 * effect. */
#include "common/target.h"
#include "differential/compare.h"
#include "differential/generate.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct conversation conversation = {
        .seed = data[0] >> 2, .few_streams = (data[0] & 1) != 0, .at_feed_end = (data[0] & 2) != 0};
    generate_greeting(&conversation);
    conversation_add(&conversation, slice_make(data + 1, size - 1));
    struct comparison result = compare(&conversation);
    if (result.mismatch != NULL) {
        fprintf(stderr, "MISMATCH at byte %zu: %s\n    %s\n", result.at, result.mismatch,
                result.detail);
        CHECK_NEVER("the sessions disagree");
    }
    conversation_deinit(&conversation);
    return 0;
}
