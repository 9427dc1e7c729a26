/* A manifest: what is parsed is written as a manifest that says the same. */
#include "common/target.h"
#include "journal/layout.h"

static void check_same(const struct manifest *one, const struct manifest *other)
{
    CHECK(one->count == other->count);
    const struct manifest_file *base = manifest_base(one), *twin = manifest_base(other);
    CHECK((base == NULL) == (twin == NULL));
    CHECK(base == NULL || (strcmp(base->name, twin->name) == 0 && base->seq == twin->seq));
    CHECK(layout_newest(one, 'i') == layout_newest(other, 'i'));
}

/* Written and read once more; twice gives the same text. */
static void check_written(const struct manifest *manifest)
{
    struct manifest again = {0};
    struct manifest_fault fault;
    struct buf text, same;
    buf_init(&text, SIZE_MAX);
    buf_init(&same, SIZE_MAX);
    if (manifest->count > 0) { /* else it had only comments, and is never written */
        bool parsed =
            manifest_format(manifest, &text) && manifest_parse(buf_slice(&text), &again, &fault);
        CHECK(parsed);
        check_same(manifest, &again);
        bool written = manifest_format(&again, &same);
        CHECK(written && slice_equal(buf_slice(&text), buf_slice(&same)));
    }
    manifest_deinit(&again);
    buf_deinit(&text);
    buf_deinit(&same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest manifest = {0};
    struct manifest_fault fault = {0};
    uint8_t *copy = target_copy(slice_make(data, size));
    if (manifest_parse(slice_make(copy, size), &manifest, &fault)) {
        check_written(&manifest);
        for (size_t i = 0; i < manifest.count; i++) {
            (void)layout_log_seq(manifest.files[i].name);
            (void)layout_is_data_file(manifest.files[i].name);
        }
    } else {
        CHECK(fault.why != NULL && manifest.count == 0);
    }
    manifest_deinit(&manifest);
    free(copy);
    return 0;
}
