/* Tests of access/users_file.c: what the file says, and what is refused. */
#include "access/users_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/folder.h"

#define HASH_A "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define HASH_B "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SALT   "AAAAAAAAAAAAAAAAAAAAAA"
#define ARGON  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define TIME   "created=2026-11-30T04:00:00Z"

static void test_a_file(void **state)
{
    (void)state;
    char why[USERS_FILE_WHY];
    struct access *access = users_file_parse(
        SLICE_LITERAL("# users\n\n[user app]\r\n"
                      "allow = read,write keys=app:*,a\\,b,x[0-9] db=0-2,64,1023\n"
                      "  allow=admin\n"
                      "token = one " HASH_B " " TIME " expires=2027-01-01T00:00:00Z\n"
                      "token = two " HASH_A " " TIME "\n"
                      "[user  Eve.X@example-1_ ]\n"
                      "certificate = dns:eve.example.com\n"
                      "certificate = uri:spiffe://x/eve\n"
                      "certificate = subject:CN=eve, O=Example = 1\n"
                      "unix = root\nunix = 4294967294"),
        why);
    if (access == NULL)
        fail_msg("%s", why);
    assert_int_equal(access->user_count, 2);
    const struct access_user *app = access_find_user(access, SLICE_LITERAL("app"));
    const struct access_user *eve = access_find_user(access, SLICE_LITERAL("Eve.X@example-1_"));
    assert_ptr_equal(app, &access->users[0]);
    assert_ptr_equal(eve, &access->users[1]);
    assert_null(access_find_user(access, SLICE_LITERAL("eve.x@example-1_")));
    assert_int_equal(app->rules.count, 2);
    const struct access_rule *rule = &app->rules.rules[0];
    assert_int_equal(rule->grants, ACCESS_READ | ACCESS_WRITE);
    assert_int_equal(rule->line, 4);
    assert_int_equal(rule->glob_count, 3);
    assert_true(rule->globs[0].is_prefix);
    assert_true(access_glob_matches(&rule->globs[1], SLICE_LITERAL("a,b")));
    assert_true(access_glob_matches(&rule->globs[2], SLICE_LITERAL("x7")));
    assert_int_equal(rule->databases[0], 7);
    assert_int_equal(rule->databases[1], 1);
    assert_true(rule->databases[15] == (uint64_t)1 << 63);
    assert_int_equal(app->rules.rules[1].grants, ACCESS_ADMIN);
    assert_int_equal(access->token_count, 2);
    uint8_t hash[TOKEN_HASH_BYTES];
    assert_true(token_read_hash(SLICE_LITERAL(HASH_A), hash));
    assert_string_equal(access_find_token(access, hash)->id, "two");
    assert_true(access_find_token(access, hash)->expires_ms == INT64_MAX);
    assert_true(token_read_hash(SLICE_LITERAL(HASH_B), hash));
    assert_string_equal(access_find_token(access, hash)->id, "one");
    assert_true(access_find_token(access, hash)->expires_ms == INT64_C(1798761600000));
    hash[0] ^= 1;
    assert_null(access_find_token(access, hash));
    assert_ptr_equal(access_user_by_uid(access, 0), eve);
    assert_ptr_equal(access_user_by_uid(access, 4294967294), eve);
    assert_null(access_user_by_uid(access, 1));
    const struct access_certificate_name names[] = {
        {ACCESS_DNS, SLICE_LITERAL("other")},
        {ACCESS_SUBJECT, SLICE_LITERAL("CN=eve, O=Example = 1")}};
    assert_ptr_equal(access_user_by_certificate(access, names, 2), eve);
    assert_null(access_user_by_certificate(access, names, 1));
    access_release(access_retain(access));
    access_release(access);
}

/* As large as a file may be, each line with something of its own; comparing each with all others
 * would take minutes. */
static void test_many_lines(void **state)
{
    (void)state;
    static const char *const lines[] = {"[user u%d]\n",
                                        "token = t%d %064x created=2026-01-01T00:00:00Z\n",
                                        "unix = %d\n", "certificate = dns:%d\n"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char why[USERS_FILE_WHY] = "", line[160];
        char *text = malloc(USERS_FILE_MOST);
        assert_non_null(text);
        size_t len = (size_t)sprintf(text, "[user first]\n");
        for (int number = 0;; number++) {
            size_t more = (size_t)snprintf(line, sizeof line, lines[i], number, number);
            if (len + more > USERS_FILE_MOST)
                break;
            memcpy(text + len, line, more);
            len += more;
        }
        struct access *access = users_file_parse(slice_make((const uint8_t *)text, len), why);
        assert_string_equal(why, "");
        assert_true(access->user_count + access->token_count + access->mapping_count > 10000);
        access_release(access);
        free(text);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"allow = read", "line 1: `allow` is of no user"},
        {"[user a]\n[user a]", "line 2: there is another section [user a]"},
        {"[user a b]", "line 1: `a b` is no name"},
        {"[user ]", "line 1: `` is no name"},
        {"[user a", "line 1: a section is [user NAME]"},
        {"[a]", "line 1: a section is"},
        {"[user a]\nallow", "line 2: a line is"},
        {"[user a]\nallows = read", "line 2: `allows` is unknown"},
        {"[user a]\nallow =", "line 2: allow is empty"},
        {"[user a]\nallow = read, write", "line 2: `` is nothing that can be allowed"},
        {"[user a]\nallow = reed", "line 2: `reed` is nothing"},
        {"[user a]\nallow = Read", "line 2: `Read` is nothing"},
        {"[user a]\nallow = read key=a", "line 2: `key=a` is not keys= or db="},
        {"[user a]\nallow = read # all", "line 2: `#` is not keys= or db="},
        {"[user a]\nallow = read ;", "line 2: `;` is not"},
        {"[user a]\nallow = read keys=", "line 2: keys= has an empty glob"},
        {"[user a]\nallow = read keys=a,,b", "line 2: keys= has an empty glob"},
        {"[user a]\nallow = read keys=a keys=b", "line 2: keys= is given twice"},
        {"[user a]\nallow = read db=1 db=2", "line 2: db= is given twice"},
        {"[user a]\nallow = read db=", "line 2: db= is malformed"},
        {"[user a]\nallow = read db=3-1", "line 2: db= is malformed"},
        {"[user a]\nallow = read db=-1", "line 2: db= is malformed"},
        {"[user a]\nallow = read db=1024", "line 2: db= is malformed"},
        {"[user a]\nallow = read db=1,", "line 2: db= is malformed"},
        {"[user a]\nallow = read db=99999999999999999999", "line 2: db= is malformed"},
        {"[user a]\nallow = admin keys=a", "line 2: admin is of the whole server"},
        {"[user a]\nallow = read,admin db=1", "line 2: admin is of the whole server"},
        {"[user a]\ntoken = ", "line 2: the token's id is not"},
        {"[user a]\ntoken = x", "line 2: the token x has no SHA-256"},
        {"[user a]\ntoken = x abcd " TIME, "line 2: the token x has no SHA-256"},
        {"[user a]\ntoken = x " HASH_A, "line 2: the token has no created=TIME"},
        {"[user a]\ntoken = x " HASH_A " created=now", "line 2: `now` is no time"},
        {"[user a]\ntoken = x " HASH_A " " TIME " until=x", "line 2: `until=x` is not created="},
        {"[user a]\ntoken = x " HASH_A " " TIME "\n[user b]\ntoken = x " HASH_B " " TIME,
         "line 4: there is another token x"},
        {"[user a]\ntoken = x " HASH_A " " TIME "\ntoken = y " HASH_A " " TIME,
         "line 3: the tokens x and y are the same"},
        {"[user a]\npassword = secret", "line 2: the hash of the password does not begin with"},
        {"[user a]\npassword = $argon2id$v=19$m=999999,t=1,p=1$" SALT "$" ARGON,
         "line 2: the hash of the password would cost too much"},
        {"[user a]\npassword = $argon2id$v=19$m=8,t=1,p=1$" SALT "$" ARGON
         "\npassword = $argon2id$v=19$m=8,t=1,p=1$" SALT "$" ARGON,
         "line 3: the user a has a password already, in line 2"},
        {"[user a]\nsecret = x", "line 2: `secret` is unknown; a user has lines allow"},
        {"[user a]\ncertificate = a.example", "line 2: certificate is dns:"},
        {"[user a]\ncertificate = dns:", "line 2: certificate is dns:"},
        {"[user a]\ncertificate = dns:x\n[user b]\ncertificate = dns:x",
         "line 4: that is a already"},
        {"[user a]\nunix = 7\nunix = 7", "line 3: that is a already"},
        {"[user a]\n[user b]\n[user b]\n[user a]", "line 3: there is another section [user b]"},
        {"[user a]\n[user a]\nunix = 7\nunix = 7\nwrong", "line 2: there is another section"},
        {"[user a]\nunix = 7\nunix = 7\n[user a]\n", "line 3: that is a already"},
        {"[user a]\nunix = 7\nwrong\nunix = 7", "line 3: a line is"},
        {"[user a]\nunix = no such user", "line 2: the system has no user `no such user`"},
        {"[user a]\nunix = 4294967296", "line 2: the system has no user"},
        {"[user a]\nlimit =", "line 2: limit needs calls= or rate="},
        {"[user a]\nlimit = 5", "line 2: `5` is no limit"},
        {"[user a]\nlimit = calls=0", "line 2: `calls=0` is no limit"},
        {"[user a]\nlimit = calls=-1", "line 2: `calls=-1` is no limit"},
        {"[user a]\nlimit = calls=1000000001", "line 2: `calls=1000000001` is no limit"},
        {"[user a]\nlimit = calls=1 calls=2", "line 2: `calls=2` limits again"},
        {"[user a]\nlimit = rate=5", "line 2: `rate=5` is no limit"},
        {"[user a]\nlimit = rate=10000001/s", "line 2: `rate=10000001/s` is no limit"},
        {"[user a]\nlimit = rate=1/s rate=none", "line 2: `rate=none` limits again"},
        {"[user a]\nlimit = burst=5", "line 2: limit needs calls= or rate="},
        {"[user a]\nlimit = rate=none burst=5", "line 2: burst= is of a rate"},
        {"[user a]\nlimit = rate=5/s burst=none", "line 2: `burst=none` is no limit"},
        {"[user a]\nlimit = calls=1\nlimit = rate=1/s", "line 3: the user has another line"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char why[USERS_FILE_WHY] = "";
        if (users_file_parse(slice_from_string(rows[i].text), why) != NULL)
            fail_msg("accepted: %s", rows[i].text);
        if (strncmp(why, rows[i].why, strlen(rows[i].why)) != 0)
            fail_msg("%s: %s", rows[i].text, why);
    }
}

static void test_passwords(void **state)
{
    (void)state;
    char why[USERS_FILE_WHY];
    static const char text[] =
        "[user a]\n[user b]\npassword = $argon2id$v=19$m=8,t=1,p=1$" SALT "$" ARGON
        "\n[user c]\npassword = $argon2id$v=19$m=8,t=2,p=1$" SALT "$" ARGON "\n";
    struct access *access = users_file_parse(slice_from_string(text), why);
    assert_non_null(access);
    assert_null(access->users[0].password);
    assert_string_equal(access->users[1].password, "$argon2id$v=19$m=8,t=1,p=1$" SALT "$" ARGON);
    assert_int_equal(access->users[1].password_line, 3);
    assert_memory_not_equal(access->users[1].password_hash, access->users[2].password_hash,
                            TOKEN_HASH_BYTES);
    access_release(access);
}

static void test_zero_bytes_are_refused(void **state)
{
    (void)state;
    char why[USERS_FILE_WHY];
    assert_null(users_file_parse(SLICE_LITERAL("[user a]\nallow = read keys=a\0b\n"), why));
    assert_string_equal(why, "line 2: the line has a zero byte");
}

/* Who could read or change the file decides, too. */
static void test_modes(void **state)
{
    (void)state;
    struct folder folder;
    char path[PATH_MAX], why[USERS_FILE_WHY];
    folder_make(&folder);
    snprintf(path, sizeof path, "%s/users", folder.path);
    assert_null(users_file_read(path, why));
    assert_string_equal(why, "cannot open it: No such file or directory");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("[user a]\n", file);
    fclose(file);
    static const mode_t bad[] = {0640, 0604, 0620, 0602, 0610, 0601};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(chmod(path, bad[i]), 0);
        assert_null(users_file_read(path, why));
        assert_non_null(strstr(why, "chmod 600 "));
    }
    assert_int_equal(chmod(path, 0600), 0);
    struct access *access = users_file_read(path, why);
    assert_non_null(access);
    assert_int_equal(access->user_count, 1);
    access_release(access);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 0, 12345) + chmod(path, 0640), 0);
        access = users_file_read(path, why);
        assert_non_null(access);
        access_release(access);
        static const mode_t more[] = {0660, 0650, 0644, 0641};
        for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
            assert_int_equal(chmod(path, more[i]), 0);
            assert_null(users_file_read(path, why));
        }
        assert_int_equal(chmod(path, 0600) + chown(path, 12345, 0), 0);
        assert_null(users_file_read(path, why));
        assert_non_null(strstr(why, "number 12345"));
    }
    assert_null(users_file_read(folder.path, why));
    assert_non_null(strstr(why, "it is no file"));
    folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_passwords),
        cmocka_unit_test(test_many_lines),
        cmocka_unit_test(test_zero_bytes_are_refused),
        cmocka_unit_test(test_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
