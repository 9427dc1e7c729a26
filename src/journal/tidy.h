/*
 * What a start changes in a data directory, once all in it is loaded (journal/recovery.h): the torn
 * tail of the last log is cut, history and files that no manifest names are removed, and the room
 * that logs had reserved behind their end is given back.
 */
#ifndef KEYSTORE_JOURNAL_TIDY_H
#define KEYSTORE_JOURNAL_TIDY_H

#include "journal/recovery.h"

/*
 * Tidies up a directory that was judged LOADING_DONE, and takes history out of
 * `recovery->manifest`. LOADING_FAILED if the torn tail stays, or a file that may not: then
 * `recovery->why` holds an error message. What only takes room may stay, after a line in the log.
 */
enum loading_verdict tidy(struct fs *fs, struct recovery *recovery)
    __attribute__((warn_unused_result));

/*
 * A start's: judges the directory, which the caller has locked, and puts it in order if it can be
 * loaded. Then all that the store shows is durable. Files of a directory of Redis are left as they
 * are but for those that its manifest calls history.
 */
enum loading_verdict tidy_load(struct fs *fs, struct store *store,
                               const struct recovery_options *options, struct recovery *recovery);

#endif
