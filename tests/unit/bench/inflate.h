/* Decodes header blocks with nghttp2, as the oracle of our encoder. Included after <cmocka.h>. */
#ifndef KEYSTORE_TESTS_BENCH_INFLATE_H
#define KEYSTORE_TESTS_BENCH_INFLATE_H

#include "base/slice.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <string.h>

#define INFLATE_TEXT 4096

/* Writes the fields of a block as lines "name: value"; the test fails if it does not decode. */
static inline void inflate_block(nghttp2_hd_inflater *inflater, struct slice block,
                                 char text[INFLATE_TEXT])
{
    size_t len = 0;
    text[0] = '\0';
    for (;;) {
        nghttp2_nv field;
        int flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(inflater, &field, &flags, block.data, block.len, 1);
        assert_true(used >= 0);
        block = slice_skip(block, (size_t)used);
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
            len += (size_t)snprintf(text + len, INFLATE_TEXT - len, "%.*s: %.*s\n",
                                    (int)field.namelen, (const char *)field.name,
                                    (int)field.valuelen, (const char *)field.value);
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0)
            break;
        assert_true(used > 0 || (flags & NGHTTP2_HD_INFLATE_EMIT) != 0);
    }
    assert_int_equal(nghttp2_hd_inflate_end_headers(inflater), 0);
}

#endif
