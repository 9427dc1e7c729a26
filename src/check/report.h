/* Prints the findings: some lines for each file, and a summary line. */
#ifndef KEYSTORE_CHECK_REPORT_H
#define KEYSTORE_CHECK_REPORT_H

#include "check/directory.h"

/* "good", "torn", "damaged", "not readable"; static memory. */
const char *report_state(enum state state);

/* The lines of one file. */
void report_item(FILE *out, const struct item *item);

/* All files of a directory. */
void report_items(FILE *out, const struct directory *directory);

/* The last line, which starts with the state and a colon. */
void report_directory(FILE *out, const struct directory *directory);

/* The same for a file that was checked alone. */
void report_summary(FILE *out, const struct item *item);

/* What a cut at the good end removes: "120 bytes, with 3 records in 2 batches whose line is left".
 */
void report_loss(FILE *out, const struct inspection *inspection);

#endif
