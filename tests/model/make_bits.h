/* Random operations on bits of strings; the kind of each is set. */
#ifndef KEYSTORE_TESTS_MODEL_MAKE_BITS_H
#define KEYSTORE_TESTS_MODEL_MAKE_BITS_H

#include "generate.h"

void make_bit(struct generator *generator, struct keystore_op *op);
void make_bit_range(struct generator *generator, struct keystore_op *op);
void make_bit_op(struct generator *generator, struct keystore_op *op);
void make_bit_field(struct generator *generator, struct keystore_op *op);

#endif
