/* Which conversation a case has. */
#include "generate.h"

#include <stdlib.h>

const char *const recipe_names[RECIPE_COUNT] = {"valid", "fields", "broken", "soup", "noise"};

void generate_frame(struct conversation *conversation, unsigned type, unsigned flags,
                    uint32_t stream_id, struct slice payload)
{
    uint8_t header[FRAME_HEADER_SIZE];
    frame_write_header(header, payload.len, (enum frame_type)type, flags, stream_id);
    conversation_add(conversation, slice_make(header, sizeof header));
    conversation_add(conversation, payload);
}

void generate_greeting(struct conversation *conversation)
{
    conversation_add(conversation, SLICE_LITERAL(PREFACE));
    generate_frame(conversation, FRAME_SETTINGS, 0, 0, slice_make(NULL, 0));
}

static enum recipe choose(struct dice *dice)
{
    static const uint8_t weights[RECIPE_COUNT] = {[RECIPE_VALID] = 5,
                                                  [RECIPE_FIELDS] = 4,
                                                  [RECIPE_BROKEN] = 7,
                                                  [RECIPE_SOUP] = 5,
                                                  [RECIPE_NOISE] = 1};
    uint32_t number = dice_below(dice, 22);
    unsigned which = 0;
    while (number >= weights[which])
        number -= weights[which++];
    return (enum recipe)which;
}

enum recipe generate_recipe(uint64_t seed, uint64_t number)
{
    struct dice dice = dice_of(seed, number);
    return choose(&dice);
}

void generate(uint64_t seed, uint64_t number, struct conversation *conversation)
{
    struct dice dice = dice_of(seed, number);
    enum recipe recipe = choose(&dice);
    *conversation = (struct conversation){.seed = seed ^ dice_mix(number)};
    conversation->few_streams = dice_once_in(&dice, 6);
    conversation->at_feed_end = dice_once_in(&dice, 2);
    switch (recipe) {
    case RECIPE_VALID:
    case RECIPE_FIELDS:
        client_talk(&dice, conversation, recipe == RECIPE_FIELDS);
        break;
    case RECIPE_BROKEN:
        client_talk(&dice, conversation, dice_once_in(&dice, 8));
        breakage_apply(&dice, conversation);
        break;
    case RECIPE_SOUP:
        breakage_soup(&dice, conversation);
        break;
    default:
        breakage_noise(&dice, conversation);
        break;
    }
}
