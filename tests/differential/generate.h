/* Conversations made from a seed. */
#ifndef KEYSTORE_TESTS_DIFFERENTIAL_GENERATE_H
#define KEYSTORE_TESTS_DIFFERENTIAL_GENERATE_H

#include "conversation.h"
#include "dice.h"

enum recipe {
    RECIPE_VALID,  /* what a correct client might send */
    RECIPE_FIELDS, /* the same, with header fields invalid in every way */
    RECIPE_BROKEN, /* a valid one with bits, lengths, types and the order of frames changed */
    RECIPE_SOUP,   /* frames of any type, flags and stream, mostly of plausible size */
    RECIPE_NOISE,  /* bytes */
    RECIPE_COUNT,
};

extern const char *const recipe_names[RECIPE_COUNT];

/* The recipe of a case. */
enum recipe generate_recipe(uint64_t seed, uint64_t number);

/* The conversation of a case; conversation_deinit() frees it. */
void generate(uint64_t seed, uint64_t number, struct conversation *conversation);

/* client.c: a conforming client, unless its header fields are to be wild. */
void client_talk(struct dice *dice, struct conversation *conversation, bool wild_fields);

/* breakage.c */
void breakage_apply(struct dice *dice, struct conversation *conversation);
void breakage_soup(struct dice *dice, struct conversation *conversation);
void breakage_noise(struct dice *dice, struct conversation *conversation);

/* Appends a frame. */
void generate_frame(struct conversation *conversation, unsigned type, unsigned flags,
                    uint32_t stream_id, struct slice payload);

/* Appends the preface and a SETTINGS frame without entries. */
void generate_greeting(struct conversation *conversation);

#endif
