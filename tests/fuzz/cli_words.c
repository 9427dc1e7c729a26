/*
 * A line of keystore-cli: split into words, which a split in place finds, too; a word that is
 * quoted reads as itself; and the words are a request, or refused with a message.
 */
#include "common/target.h"

#include "base/quote.h"
#include "cli/commands.h"

static void check_quoted(struct keystore_slice word, struct arena *arena)
{
    struct words again;
    char *text = malloc(QUOTED_SIZE(word.len));
    CHECK(text != NULL);
    quote_text(text, slice_make(word.data, word.len));
    const char *why = split_line(slice_from_string(text), arena, &again);
    CHECK(why == NULL && again.count == 1);
    CHECK(slice_equal(slice_make(again.items[0].data, again.items[0].len),
                      slice_make(word.data, word.len)));
    free(text);
}

static void check_words(struct words words, struct arena *arena)
{
    struct request request;
    char problem[ARGS_PROBLEM_SIZE] = "";
    for (size_t i = 0; i < words.count; i++)
        check_quoted(words.items[i], arena);
    if (words.count == 0)
        return;
    bool parsed = commands_parse(words, 3, arena, &request, problem);
    CHECK(parsed || problem[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct words words, same;
    uint8_t *line = target_copy(slice_make(data, size)),
            *copy = target_copy(slice_make(data, size));
    arena_init(&arena);
    const char *why = split_line(slice_make(line, size), &arena, &words);
    const char *why_in_place = split_in_place(copy, size, &arena, &same);
    CHECK((why == NULL) == (why_in_place == NULL));
    if (why == NULL) {
        CHECK(words.count == same.count);
        for (size_t i = 0; i < words.count; i++)
            CHECK(slice_equal(slice_make(words.items[i].data, words.items[i].len),
                              slice_make(same.items[i].data, same.items[i].len)));
        check_words(words, &arena);
    }
    arena_deinit(&arena);
    free(line);
    free(copy);
    return 0;
}
