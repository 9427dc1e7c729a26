/*
 * Answers of operations as Redis replies: each function turns an answer, which must be of the kind
 * that the operation has, into the reply of the command. The reply refers to memory of the answer
 * and of the arena.
 */
#ifndef KEYSTORE_CLI_ANSWERS_H
#define KEYSTORE_CLI_ANSWERS_H

#include "cli/request.h"

/* Of struct keystore_status. */
struct reply answers_ok(const struct request *request, const struct keystore_reply *from,
                        struct arena *arena);
struct reply answers_ok_or_nil(const struct request *request, const struct keystore_reply *from,
                               struct arena *arena);
struct reply answers_ok_or_no_key(const struct request *request, const struct keystore_reply *from,
                                  struct arena *arena);
struct reply answers_bit(const struct request *request, const struct keystore_reply *from,
                         struct arena *arena);
struct reply answers_bit_or_no_key(const struct request *request, const struct keystore_reply *from,
                                   struct arena *arena);
struct reply answers_count(const struct request *request, const struct keystore_reply *from,
                           struct arena *arena);
struct reply answers_previous(const struct request *request, const struct keystore_reply *from,
                              struct arena *arena);
/* PING and ECHO: any answer shows that the server is there. */
struct reply answers_pong(const struct request *request, const struct keystore_reply *from,
                          struct arena *arena);
struct reply answers_text(const struct request *request, const struct keystore_reply *from,
                          struct arena *arena);

/* Of struct keystore_value; a miss is nil or the empty string. */
struct reply answers_value(const struct request *request, const struct keystore_reply *from,
                           struct arena *arena);
struct reply answers_part(const struct request *request, const struct keystore_reply *from,
                          struct arena *arena);

/* Of struct keystore_values, _list, _number, _popped, _positions, _bit_fields and _lcs_reply. */
struct reply answers_bit_fields(const struct request *request, const struct keystore_reply *from,
                                struct arena *arena);
struct reply answers_lcs(const struct request *request, const struct keystore_reply *from,
                         struct arena *arena);
struct reply answers_lcs_length(const struct request *request, const struct keystore_reply *from,
                                struct arena *arena);
struct reply answers_lcs_matches(const struct request *request, const struct keystore_reply *from,
                                 struct arena *arena);
struct reply answers_lcs_matches_with_lengths(const struct request *request,
                                              const struct keystore_reply *from,
                                              struct arena *arena);
struct reply answers_values(const struct request *request, const struct keystore_reply *from,
                            struct arena *arena);
struct reply answers_list(const struct request *request, const struct keystore_reply *from,
                          struct arena *arena);
struct reply answers_integer(const struct request *request, const struct keystore_reply *from,
                             struct arena *arena);
struct reply answers_decimal(const struct request *request, const struct keystore_reply *from,
                             struct arena *arena);
struct reply answers_popped(const struct request *request, const struct keystore_reply *from,
                            struct arena *arena);
struct reply answers_popped_pair(const struct request *request, const struct keystore_reply *from,
                                 struct arena *arena);
struct reply answers_popped_key(const struct request *request, const struct keystore_reply *from,
                                struct arena *arena);
struct reply answers_position(const struct request *request, const struct keystore_reply *from,
                              struct arena *arena);
struct reply answers_positions(const struct request *request, const struct keystore_reply *from,
                               struct arena *arena);

/* Of struct keystore_key_info. Times to live are relative to this machine's clock. */
struct reply answers_type(const struct request *request, const struct keystore_reply *from,
                          struct arena *arena);
struct reply answers_string_length(const struct request *request, const struct keystore_reply *from,
                                   struct arena *arena);
struct reply answers_list_length(const struct request *request, const struct keystore_reply *from,
                                 struct arena *arena);
struct reply answers_ttl(const struct request *request, const struct keystore_reply *from,
                         struct arena *arena);
struct reply answers_ttl_ms(const struct request *request, const struct keystore_reply *from,
                            struct arena *arena);
struct reply answers_expire_at(const struct request *request, const struct keystore_reply *from,
                               struct arena *arena);
struct reply answers_expire_at_ms(const struct request *request, const struct keystore_reply *from,
                                  struct arena *arena);
struct reply answers_memory(const struct request *request, const struct keystore_reply *from,
                            struct arena *arena);
struct reply answers_description(const struct request *request, const struct keystore_reply *from,
                                 struct arena *arena);
/* A pop of zero elements: an empty list, or nil if the list does not exist. */
struct reply answers_no_elements(const struct request *request, const struct keystore_reply *from,
                                 struct arena *arena);

/* INFO and DBSIZE. */
struct reply answers_info(const struct keystore_info_reply *from, struct arena *arena);
struct reply answers_db_size(const struct keystore_info_reply *from, uint32_t db);

#endif
