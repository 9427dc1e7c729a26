/* Results for people and for programs. */
#ifndef KEYSTORE_BENCH_REPORT_H
#define KEYSTORE_BENCH_REPORT_H

#include "bench/options.h"
#include "bench/run.h"

/* Whether all calls of a fill succeeded. */
bool report_is_filled(const struct run_result *result);

/* One line with the number of keys stored or, if calls failed, of calls that succeeded. */
void report_fill(FILE *out, const struct options *options, const struct run_result *result);

/* The table of results. */
void report_table(FILE *out, const struct options *options, const struct run_result *result);

/* The most important results on one line. */
void report_line(FILE *out, const struct options *options, const struct run_result *result);

/* A line of column names and a line of numbers; numbers that were not measured are empty. */
void report_csv(FILE *out, const struct options *options, const struct run_result *result);

/* A line for each kind of error; nothing if no call failed. */
void report_errors(FILE *out, const struct run_result *result);

/* Warnings about conditions that make the results misleading. */
void report_warnings(FILE *out, const struct options *options, const struct run_result *result);

#endif
