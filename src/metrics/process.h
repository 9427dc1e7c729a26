/* Metrics of this process, as the client libraries of Prometheus name them. */
#ifndef KEYSTORE_METRICS_PROCESS_H
#define KEYSTORE_METRICS_PROCESS_H

struct metrics_text;

/* Descriptors that it keeps open, so that it works when there are no more. */
#define METRICS_PROCESS_DESCRIPTORS 2

struct metrics_process;

/* Never fails; what the system does not tell is left out. Belongs to one thread. Free with
 * metrics_process_free(). */
struct metrics_process *metrics_process_new(void);

/* NULL is allowed. */
void metrics_process_free(struct metrics_process *process);

void metrics_process_write(struct metrics_process *process, struct metrics_text *text);

#endif
