/* Rules as the users file has them. */
#ifndef KEYSTORE_ACCESS_RULES_TEXT_H
#define KEYSTORE_ACCESS_RULES_TEXT_H

#include "access/rules.h"

#include <stdio.h>

/* Writes what follows `allow = `, as in "read,write keys=app:* db=0-3". The file reads it as the
 * same rule. */
void rules_text_write(const struct access_rule *rule, FILE *out);

#endif
