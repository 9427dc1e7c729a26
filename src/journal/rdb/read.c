/*
 * Reads the records of an RDB file. Lists are read by lists.c, what the store cannot have is
 * skipped by skip.c. Only allocates for compressed strings.
 */
#include "journal/rdb/read.h"

#include "journal/rdb/crc64.h"
#include "journal/rdb/lists.h"
#include "journal/rdb/skip.h"

/* The checksum follows the reading this closely, while the bytes are in the cache. */
#define CRC_STEP ((size_t)16 * 1024)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are read as they are");

struct reading {
    struct rdb_input input;
    const struct rdb_receiver *receiver;
    unsigned version;
    bool is_valkey;
    uint64_t crc;
    const uint8_t *crc_at;    /* it covers the bytes before this */
    struct rdb_key key;       /* the next one, as far as known */
    struct rdb_scratch name;  /* of a key or a field */
    struct rdb_scratch value; /* of both */
    bool has_revision;        /* there was a ks-revision */
    uint64_t revision;        /* that */
    size_t version_count;     /* of the latest ks-versions */
    size_t versions_used;     /* of these */
    uint64_t versions[RDB_BLOCK_KEYS];
};

static bool read_fail_here(struct reading *reading, const char *reason)
{
    return rdb_input_fail(&reading->input, reading->input.at, "%s", reason);
}

/* Calls the callback if there is one; what it returned. */
#define CALL(reading, callback, ...)                                                               \
    ((reading)->receiver->callback == NULL ||                                                      \
     (reading)->receiver->callback((reading)->receiver->context, __VA_ARGS__) ||                   \
     read_fail_here(reading, "the receiver ended the reading"))

/* ---- header and end ---- */

static bool read_is_known_version(bool is_valkey, unsigned version)
{
    return is_valkey ? version == RDB_VALKEY_VERSION : version >= 1 && version <= RDB_NEWEST;
}

static bool read_header(struct reading *reading)
{
    struct rdb_input *input = &reading->input;
    const uint8_t *bytes;
    if (!rdb_input_take(input, RDB_MAGIC_SIZE, "its first line", &bytes))
        return false;
    if (!rdb_read_has_magic(slice_make(bytes, RDB_MAGIC_SIZE)))
        return rdb_input_fail(input, bytes,
                              "no RDB file: it starts with neither " RDB_MAGIC
                              " nor " RDB_VALKEY_MAGIC);
    reading->is_valkey = bytes[0] == RDB_VALKEY_MAGIC[0];
    size_t digits = strlen(reading->is_valkey ? RDB_VALKEY_MAGIC : RDB_MAGIC);
    for (size_t i = digits; i < RDB_MAGIC_SIZE; i++) {
        if (bytes[i] < '0' || bytes[i] > '9')
            return rdb_input_fail(input, bytes + i, "no digits of a version after %.*s",
                                  (int)digits, (const char *)bytes);
        reading->version = reading->version * 10 + (bytes[i] - (unsigned)'0');
    }
    if (!read_is_known_version(reading->is_valkey, reading->version))
        return rdb_input_unknown(input, bytes + digits,
                                 "RDB version %.9s; those read are 1 to %d of Redis (up to 8), and "
                                 "%d of Valkey (9)",
                                 (const char *)bytes, RDB_NEWEST, RDB_VALKEY_VERSION);
    return true;
}

bool rdb_read_has_magic(struct slice bytes)
{
    return slice_starts_with(bytes, SLICE_LITERAL(RDB_MAGIC)) ||
           slice_starts_with(bytes, SLICE_LITERAL(RDB_VALKEY_MAGIC));
}

/* True unless the checksum at the end of the bytes shows damage. */
static bool read_may_be_sound(const struct reading *reading)
{
    const uint8_t *end = reading->input.end;
    uint64_t crc, crc_of_all;
    if (reading->version < RDB_VERSION_CRC || (size_t)(end - reading->crc_at) < sizeof crc)
        return false;
    memcpy(&crc, end - sizeof crc, sizeof crc);
    crc_of_all = crc64_update(
        reading->crc, slice_make(reading->crc_at, (size_t)(end - reading->crc_at) - sizeof crc));
    return crc == 0 || crc == crc_of_all;
}

/* Something unknown is damage if the checksum says so. */
static bool read_judge_unknown(struct reading *reading)
{
    struct rdb_error *error = reading->input.error;
    error->unknown = error->unknown && read_may_be_sound(reading);
    return false;
}

static void read_follow_crc(struct reading *reading, size_t step)
{
    size_t len = (size_t)(reading->input.at - reading->crc_at);
    if (len < step || reading->version < RDB_VERSION_CRC)
        return;
    reading->crc = crc64_update(reading->crc, slice_make(reading->crc_at, len));
    reading->crc_at = reading->input.at;
}

static bool read_end(struct reading *reading)
{
    struct rdb_input *input = &reading->input;
    const uint8_t *bytes;
    uint64_t crc;
    if (reading->versions_used < reading->version_count)
        return read_fail_here(reading, "the end, while " RDB_AUX_VERSIONS " is for more keys");
    if (reading->version < RDB_VERSION_CRC)
        return true;
    read_follow_crc(reading, 0);
    if (!rdb_input_take(input, sizeof crc, "its checksum", &bytes))
        return false;
    memcpy(&crc, bytes, sizeof crc);
    if (crc == 0 || crc == reading->crc)
        return true;
    return rdb_input_fail(input, bytes, "checksum %016llx, but the bytes before it have %016llx",
                          (unsigned long long)crc, (unsigned long long)reading->crc);
}

/* ---- fields ---- */

static bool read_revision(struct reading *reading, struct slice value)
{
    int64_t revision;
    if (!decimal_parse(value, &revision) || revision < 0)
        return read_fail_here(reading, RDB_AUX_REVISION " is not a number");
    reading->has_revision = true;
    reading->revision = (uint64_t)revision;
    return true;
}

/* Reads a number of ks-versions at *position of the value. */
static bool read_varint(struct slice value, size_t *position, uint64_t *number)
{
    *number = 0;
    for (unsigned shift = 0; *position < value.len; shift += 7) {
        uint8_t byte = value.data[(*position)++];
        if (shift == 63 && byte > 1) /* more than 64 bits, or an eleventh byte */
            return false;
        *number |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return true;
    }
    return false;
}

static bool read_versions(struct reading *reading, struct slice value)
{
    uint64_t age;
    size_t position = 0;
    if (!reading->has_revision)
        return read_fail_here(reading, RDB_AUX_VERSIONS " without " RDB_AUX_REVISION " before it");
    if (reading->versions_used < reading->version_count)
        return read_fail_here(reading, RDB_AUX_VERSIONS " while the one before is for more keys");
    reading->version_count = reading->versions_used = 0;
    while (position < value.len) {
        if (reading->version_count == RDB_BLOCK_KEYS)
            return read_fail_here(reading, RDB_AUX_VERSIONS " with too many numbers");
        if (!read_varint(value, &position, &age) || age > reading->revision)
            return read_fail_here(reading, RDB_AUX_VERSIONS " with a wrong number");
        reading->versions[reading->version_count++] = reading->revision - age;
    }
    return true;
}

static bool read_aux(struct reading *reading)
{
    struct slice name, value;
    if (!rdb_input_string(&reading->input, &reading->name, &name) ||
        !rdb_input_string(&reading->input, &reading->value, &value))
        return false;
    if (slice_equal(name, SLICE_LITERAL(RDB_AUX_VERSIONS)))
        return read_versions(reading, value);
    if (slice_equal(name, SLICE_LITERAL(RDB_AUX_REVISION)) && !read_revision(reading, value))
        return false;
    return CALL(reading, on_aux, name, value);
}

static bool read_db(struct reading *reading)
{
    uint64_t db;
    return rdb_input_length(&reading->input, &db) && CALL(reading, on_db, db);
}

static bool read_sizes(struct reading *reading)
{
    uint64_t keys, expiring;
    return rdb_input_length(&reading->input, &keys) &&
           rdb_input_length(&reading->input, &expiring) && CALL(reading, on_sizes, keys, expiring);
}

static bool read_skip_module_aux(struct reading *reading)
{
    char type[RDB_SKIP_NAME];
    return rdb_skip_module_aux(&reading->input, type) && CALL(reading, on_unsupported, NULL, type);
}

static bool read_skip_function(struct reading *reading, uint8_t opcode)
{
    return (opcode == RDB_FUNCTION2 ? rdb_input_skip_string(&reading->input)
                                    : rdb_skip_old_function(&reading->input)) &&
           CALL(reading, on_unsupported, NULL, "function library");
}

static bool read_skip_slot_info(struct reading *reading)
{
    uint64_t unused;
    return rdb_input_length(&reading->input, &unused) &&
           rdb_input_length(&reading->input, &unused) && rdb_input_length(&reading->input, &unused);
}

/* ---- what belongs to the next key ---- */

static void read_set_expiry(struct reading *reading, int64_t at_ms)
{
    reading->key.expire_at_ms = at_ms > 0 ? at_ms : 1;
}

static bool read_expiry_s(struct reading *reading)
{
    const uint8_t *bytes;
    if (!rdb_input_take(&reading->input, 4, "a time", &bytes))
        return false;
    int32_t at_s;
    memcpy(&at_s, bytes, sizeof at_s);
    read_set_expiry(reading, (int64_t)at_s * 1000);
    return true;
}

static bool read_expiry_ms(struct reading *reading)
{
    const uint8_t *bytes;
    if (!rdb_input_take(&reading->input, 8, "a time", &bytes))
        return false;
    int64_t at_ms;
    memcpy(&at_ms, bytes, sizeof at_ms);
    read_set_expiry(reading, at_ms);
    return true;
}

/* ---- keys ---- */

static bool read_string(struct reading *reading)
{
    struct slice value;
    return rdb_input_string(&reading->input, &reading->value, &value) &&
           CALL(reading, on_string, &reading->key, value);
}

static bool read_skip_value(struct reading *reading, uint8_t type)
{
    char name[RDB_SKIP_NAME];
    return rdb_skip_value(&reading->input, type, name) &&
           CALL(reading, on_unsupported, &reading->key, name);
}

static bool read_value(struct reading *reading, uint8_t type)
{
    if (type == RDB_STRING)
        return read_string(reading);
    if (type == RDB_HASH_TTL_PRE_GA && reading->is_valkey)
        return read_skip_value(reading, RDB_HASH_VALKEY);
    if (rdb_lists_is_list(type))
        return rdb_lists_read(&reading->input, type, &reading->key, &reading->value,
                              reading->receiver);
    return read_skip_value(reading, type);
}

static bool read_key(struct reading *reading, uint8_t type)
{
    struct rdb_key *key = &reading->key;
    if (type > RDB_HASH_TTL_LISTPACK)
        return rdb_input_unknown(&reading->input, reading->input.at - 1,
                                 "record %u is none of those of Redis up to 8 and Valkey up to 9",
                                 type);
    if (!rdb_input_string(&reading->input, &reading->name, &key->name))
        return false;
    key->version = reading->versions_used < reading->version_count
                       ? reading->versions[reading->versions_used++]
                       : 0;
    if (!read_value(reading, type))
        return false;
    key->expire_at_ms = 0;
    return true;
}

/* ---- all of it ---- */

static bool read_record(struct reading *reading, uint8_t opcode)
{
    uint64_t unused;
    switch (opcode) {
    case RDB_AUX:
        return read_aux(reading);
    case RDB_SELECTDB:
        return read_db(reading);
    case RDB_RESIZEDB:
        return read_sizes(reading);
    case RDB_EXPIRETIME:
        return read_expiry_s(reading);
    case RDB_EXPIRETIME_MS:
        return read_expiry_ms(reading);
    case RDB_FREQ:
        return rdb_input_take(&reading->input, 1, "a frequency", NULL);
    case RDB_IDLE:
        return rdb_input_length(&reading->input, &unused);
    case RDB_MODULE_AUX:
        return read_skip_module_aux(reading);
    case RDB_FUNCTION2:
    case RDB_FUNCTION_PRE_GA:
        return read_skip_function(reading, opcode);
    case RDB_SLOT_INFO:
        return read_skip_slot_info(reading);
    case RDB_SLOT_IMPORT:
        return rdb_input_unknown(&reading->input, reading->input.at - 1,
                                 "a slot migration was in progress, so it is unknown which keys "
                                 "count; let it end and save again");
    default:
        return read_key(reading, opcode);
    }
}

static bool read_records(struct reading *reading)
{
    uint8_t opcode;
    if (!read_header(reading))
        return false;
    while (rdb_input_byte(&reading->input, &opcode)) {
        if (opcode == RDB_EOF)
            return read_end(reading);
        if (!read_record(reading, opcode))
            return read_judge_unknown(reading);
        read_follow_crc(reading, CRC_STEP);
    }
    return false;
}

bool rdb_read(struct slice bytes, const struct rdb_receiver *receiver, size_t *size,
              struct rdb_error *error)
{
    struct reading reading = {.receiver = receiver, .crc_at = bytes.data};
    *error = (struct rdb_error){0};
    reading.input = (struct rdb_input){
        .begin = bytes.data, .at = bytes.data, .end = bytes.data + bytes.len, .error = error};
    rdb_input_scratch_init(&reading.name);
    rdb_input_scratch_init(&reading.value);
    bool sound = read_records(&reading);
    *size = rdb_input_offset(&reading.input);
    rdb_input_scratch_deinit(&reading.name);
    rdb_input_scratch_deinit(&reading.value);
    return sound;
}

/* ---- values by themselves ---- */

#define DUMP_END 10 /* version, checksum */

/* Verifies the version and the checksum at the end. */
static bool read_check_dump(struct slice bytes, struct rdb_input *input)
{
    uint16_t version;
    uint64_t crc;
    if (bytes.len < 1 + DUMP_END)
        return rdb_input_fail(input, input->begin, "a dump of %zu bytes is too short", bytes.len);
    memcpy(&version, input->end, sizeof version);
    memcpy(&crc, input->end + sizeof version, sizeof crc);
    if (version != RDB_VALKEY_VERSION && version > RDB_NEWEST)
        return rdb_input_unknown(input, input->end, "a dump of RDB version %u", version);
    return crc == 0 || crc == crc64_update(0, slice_make(bytes.data, bytes.len - sizeof crc)) ||
           rdb_input_fail(input, input->begin, "the checksum of a dump is wrong");
}

bool rdb_read_dump(struct slice bytes, const struct rdb_key *key,
                   const struct rdb_receiver *receiver, struct rdb_error *error)
{
    struct reading reading = {.receiver = receiver, .key = *key};
    uint8_t type = 0;
    *error = (struct rdb_error){0};
    reading.input = (struct rdb_input){
        .begin = bytes.data, .at = bytes.data, .end = bytes.data, .error = error};
    if (bytes.len > DUMP_END)
        reading.input.end += bytes.len - DUMP_END;
    rdb_input_scratch_init(&reading.name);
    rdb_input_scratch_init(&reading.value);
    bool sound = read_check_dump(bytes, &reading.input) && rdb_input_byte(&reading.input, &type);
    if (sound)
        reading.is_valkey = reading.input.end[0] == RDB_VALKEY_VERSION;
    sound = sound && read_value(&reading, type);
    if (sound && reading.input.at < reading.input.end)
        sound = read_fail_here(&reading, "a dump goes on after its value");
    rdb_input_scratch_deinit(&reading.name);
    rdb_input_scratch_deinit(&reading.value);
    return sound;
}
