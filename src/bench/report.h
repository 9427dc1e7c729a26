/* Results for people and for programs. */
#ifndef KEYSTORE_BENCH_REPORT_H
#define KEYSTORE_BENCH_REPORT_H

#include "bench/options.h"
#include "bench/run.h"

/* True if each call of a fill was answered, and well. */
bool report_is_filled(const struct run_result *result);

/* One line about the keys that were stored, or how many calls for them were answered. */
void report_fill(FILE *out, const struct options *options, const struct run_result *result);

/* The table of what was measured. */
void report_table(FILE *out, const struct options *options, const struct run_result *result);

/* One line of it. */
void report_line(FILE *out, const struct options *options, const struct run_result *result);

/* A line of column names and a line of numbers; a number that was not measured is left empty. */
void report_csv(FILE *out, const struct options *options, const struct run_result *result);

/* A line for each way in which calls failed; nothing if none did. */
void report_errors(FILE *out, const struct run_result *result);

/* Sentences about what makes the numbers mean something else than they seem to. */
void report_warnings(FILE *out, const struct options *options, const struct run_result *result);

#endif
