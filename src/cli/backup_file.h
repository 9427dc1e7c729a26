/*
 * The file that a backup is written to: it has its name only once it is complete and on the disk.
 */
#ifndef KEYSTORE_CLI_BACKUP_FILE_H
#define KEYSTORE_CLI_BACKUP_FILE_H

#include <stdbool.h>
#include <stddef.h>

#define BACKUP_PROBLEM_SIZE 600

struct backup_file {
    const char *path; /* borrowed; "-" is standard output */
    char *temporary;  /* beside `path`, readable for its owner alone; NULL: standard output */
    int fd;
    bool force;
    char *problem; /* the error message of what has failed; BACKUP_PROBLEM_SIZE bytes */
};

/*
 * Creates the temporary file. A file that exists is refused without `force`, and anything but a
 * regular file always, as is standard output that is a terminal. False with the message in
 * `problem`, which is kept for the other functions.
 */
bool backup_file_open(struct backup_file *file, const char *path, bool force, char *problem)
    __attribute__((warn_unused_result));

/* False with a message if not everything could be written; then backup_file_discard(). */
bool backup_file_write(struct backup_file *file, const void *data, size_t size)
    __attribute__((warn_unused_result));

/* Syncs the file, gives it its name and syncs that; ends the file in either case. False with a
 * message, and unless that says otherwise, nothing is left and what was there is unchanged. */
bool backup_file_commit(struct backup_file *file) __attribute__((warn_unused_result));

/* Removes what was written, and ends the file. */
void backup_file_discard(struct backup_file *file);

#endif
