/* Cuts a command into its words. */
#include "support/words.h"

#include "support/resp_append.h"

#include "base/check.h"

#include <string.h>

void words_append(struct buf *out, const char *words)
{
    struct slice args[WORDS_MOST];
    size_t count = 0;
    while (*words != 0) {
        size_t len = strcspn(words, " ");
        CHECK(count < WORDS_MOST);
        args[count++] = slice_make(words, len);
        words += len + (words[len] == ' ');
    }
    CHECK(resp_append(out, args, count));
}
