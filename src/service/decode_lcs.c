/* The request of Lcs: from protobuf-c's struct to struct op. */
#include "service/decode.h"
#include "service/field.h"

enum err decode_lcs_request(const void *message, struct arena *arena, struct op *op,
                            const char **why)
{
    (void)arena;
    const Keystore__V1__LcsRequest *request = message;
    op->key = field_slice(request->key);
    op->target.bytes = field_slice(request->other_key);
    op->db = request->db;
    op->target_db = request->db;
    op->lcs.want_string = request->want_string;
    op->lcs.want_matches = request->want_matches;
    op->lcs.min_match = request->min_match_length;
    if (request->min_match_length != 0 && !request->want_matches)
        return field_refuse("min_match_length: it is given without want_matches; set that, too, or "
                            "leave it unset",
                            why);
    return ERR_NONE;
}
