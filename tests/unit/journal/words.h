/* Commands of words, such as "SET key value". Included after <cmocka.h>. */
#ifndef KEYSTORE_TESTS_JOURNAL_WORDS_H
#define KEYSTORE_TESTS_JOURNAL_WORDS_H

#include "journal/resp_append.h"

#define WORDS_MOST 50

/* Appends the command whose words, none with a space in it, have single spaces between them. */
static inline void words_append(struct buf *out, const char *words)
{
    struct slice args[WORDS_MOST];
    size_t count = 0;
    while (*words != 0) {
        size_t len = strcspn(words, " ");
        assert_true(count < WORDS_MOST);
        args[count++] = slice_make(words, len);
        words += len + (words[len] == ' ');
    }
    assert_true(resp_append(out, args, count));
}

#endif
