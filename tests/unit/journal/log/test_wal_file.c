/* Tests of journal/log/wal_file.c: batches in their places, room ahead, and what failures leave. */
#include "journal/log/wal_file.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "journal/fake_disk.h"
#include "journal/log/scan.h"

static const struct slice payload = {(const uint8_t *)"*2\r\n$3\r\nDEL\r\n$1\r\na\r\n", 20};

static struct fs_file *create(struct fake_disk *disk)
{
    struct fs_file *handle;
    fake_disk_init(disk);
    assert_int_equal(wal_file_create(&disk->fs, "folder", "log", &handle), 0);
    return handle;
}

static struct wal_file create_log(struct fake_disk *disk)
{
    struct wal_file file;
    assert_int_equal(wal_file_init(&file, create(disk)), 0);
    return file;
}

static int append(struct wal_file *file, uint64_t revision)
{
    struct batch batch = {.seq = revision, .ops = 1, .synced = revision - 1};
    return wal_file_append(file, &batch, payload);
}

/* So many records are in the file, and nothing else. */
static void assert_records(const struct fake_disk *disk, uint64_t count)
{
    struct scan scan;
    struct scan_record record;
    scan_init(&scan, buf_slice(&disk->inodes[0].bytes), 1);
    for (uint64_t i = 1; i <= count; i++) {
        assert_int_equal(scan_next(&scan, &record), SCAN_RECORD);
        assert_int_equal(record.revision, i);
    }
    assert_int_equal(scan_next(&scan, &record), SCAN_CLEAN);
    scan_deinit(&scan);
}

static void a_new_file_is_durable_by_name(void **state)
{
    (void)state;
    struct fake_disk disk;
    struct fs_file *handle = create(&disk);
    assert_string_equal(disk.inodes[0].path, "folder/log");
    assert_true(disk.inodes[0].named);
    assert_string_equal(disk.story, "open log\nsync log\nsync-directory folder\n");
    fs_close(handle);
    assert_int_equal(wal_file_create(&disk.fs, "folder", "log", &handle), -EEXIST);
    fake_disk_deinit(&disk);
}

static void batches_follow_each_other(void **state)
{
    (void)state;
    struct fake_disk disk;
    struct wal_file file = create_log(&disk);
    for (uint64_t i = 1; i <= 20; i++) {
        assert_int_equal(append(&file, i), 0);
        assert_true(file.unsynced);
        assert_int_equal(file.size, disk.inodes[0].bytes.len);
    }
    assert_int_equal(wal_file_sync(&file), 0);
    assert_false(file.unsynced);
    assert_int_equal(disk.inodes[0].synced, file.size);
    assert_records(&disk, 20);
    wal_file_deinit(&file);

    struct fs_file *handle;
    assert_int_equal(fs_open(&disk.fs, "folder/log", FS_APPEND, &handle), 0);
    assert_int_equal(wal_file_init(&file, handle), 0);
    assert_int_equal(append(&file, 21), 0);
    assert_records(&disk, 21);
    wal_file_deinit(&file);
    fake_disk_deinit(&disk);
}

static void a_batch_without_records_is_a_line(void **state)
{
    (void)state;
    struct fake_disk disk;
    struct wal_file file = create_log(&disk);
    struct batch batch = {.seq = 3, .synced = 2};
    assert_int_equal(wal_file_append(&file, &batch, slice_make(NULL, 0)), 0);
    assert_int_equal(disk.inodes[0].bytes.data[file.size - 1], '\n');
    assert_true(batch_parse(buf_slice(&disk.inodes[0].bytes), 0, &batch));
    assert_int_equal(batch.line_size, file.size);
    wal_file_deinit(&file);
    fake_disk_deinit(&disk);
}

static void room_is_asked_ahead(void **state)
{
    (void)state;
    struct fake_disk disk;
    struct wal_file file = create_log(&disk);
    for (int works = 0; works < 2; works++) {
        disk.fail_allocate = works == 0 ? -EOPNOTSUPP : 0;
        size_t before = disk.inodes[0].allocated;
        uint64_t revision = 1 + (uint64_t)works;
        assert_int_equal(append(&file, revision), 0);
        assert_true(disk.inodes[0].allocated >= file.size);
        assert_true((works == 0) == (disk.inodes[0].allocated > before));
    }
    assert_int_equal(disk.inodes[0].bytes.len, file.size); /* the file itself has not grown */
    size_t first = disk.inodes[0].allocated;
    static uint8_t large[WAL_FILE_STEP];
    struct batch batch = {.seq = 3, .ops = 1, .synced = 2};
    assert_int_equal(wal_file_append(&file, &batch, slice_make(large, sizeof large)), 0);
    assert_true(disk.inodes[0].allocated >= first + WAL_FILE_STEP);
    wal_file_deinit(&file);
    fake_disk_deinit(&disk);
}

static void a_failed_write_is_cut(void **state)
{
    (void)state;
    struct fake_disk disk;
    struct wal_file file = create_log(&disk);
    assert_int_equal(append(&file, 1), 0);
    for (size_t room = 0; room < 80; room += 9) {
        disk.room = room;
        assert_int_equal(append(&file, 2), -ENOSPC);
        assert_int_equal(disk.inodes[0].bytes.len, file.size + room);
        assert_int_equal(wal_file_cut(&file), 0);
        assert_int_equal(disk.inodes[0].bytes.len, file.size);
        assert_int_equal(disk.inodes[0].synced, file.size);
        assert_false(file.unsynced);
    }
    disk.room = FAKE_DISK_ANY;
    assert_int_equal(append(&file, 2), 0);
    assert_records(&disk, 2);
    wal_file_deinit(&file);
    fake_disk_deinit(&disk);
}

static void errors_are_passed_on(void **state)
{
    (void)state;
    struct fake_disk disk;
    struct fs_file *handle;
    struct wal_file file = create_log(&disk);
    disk.fail_write = -EIO;
    assert_int_equal(append(&file, 1), -EIO);
    disk.fail_write = 0;
    assert_int_equal(append(&file, 1), 0);
    disk.fail_sync = -EIO;
    assert_int_equal(wal_file_sync(&file), -EIO);
    assert_true(file.unsynced);
    assert_int_equal(wal_file_cut(&file), -EIO);
    assert_int_equal(wal_file_create(&disk.fs, "folder", "b", &handle), -EIO);
    disk.fail_sync = 0;
    disk.fail_cut = -EPERM;
    assert_int_equal(wal_file_cut(&file), -EPERM);
    disk.fail_sync_directory = -EIO;
    assert_int_equal(wal_file_create(&disk.fs, "folder", "c", &handle), -EIO);
    disk.fail_open = -ENOSPC;
    assert_int_equal(wal_file_create(&disk.fs, "folder", "d", &handle), -ENOSPC);
    wal_file_deinit(&file);
    fake_disk_deinit(&disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_file_is_durable_by_name),
        cmocka_unit_test(batches_follow_each_other),
        cmocka_unit_test(a_batch_without_records_is_a_line),
        cmocka_unit_test(room_is_asked_ahead),
        cmocka_unit_test(a_failed_write_is_cut),
        cmocka_unit_test(errors_are_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
