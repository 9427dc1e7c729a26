/* Writes the parts of a rule in their order; globs still have their backslashes. */
#include "access/rules_text.h"

static bool rules_text_has(const struct access_rule *rule, unsigned db)
{
    return db < ACCESS_DATABASES && (rule->databases[db / 64] >> db % 64 & 1) != 0;
}

static void rules_text_write_databases(const struct access_rule *rule, FILE *out)
{
    const char *separator = " db=";
    for (unsigned db = 0; db < ACCESS_DATABASES; db++) {
        unsigned from = db;
        if (!rules_text_has(rule, db))
            continue;
        while (rules_text_has(rule, db + 1))
            db++;
        fprintf(out, db > from ? "%s%u-%u" : "%s%u", separator, from, db);
        separator = ",";
    }
}

void rules_text_write(const struct access_rule *rule, FILE *out)
{
    const char *separator = "";
    for (unsigned grant = 1; grant <= ACCESS_ALL; grant <<= 1)
        if ((rule->grants & grant) != 0) {
            fprintf(out, "%s%s", separator, access_grant_name(grant));
            separator = ",";
        }
    separator = " keys=";
    for (size_t i = 0; rule->has_keys && i < rule->glob_count; i++) {
        struct slice pattern = rule->globs[i].pattern;
        fputs(separator, out);
        fwrite(pattern.data, 1, pattern.len, out);
        separator = ",";
    }
    if (rule->has_databases)
        rules_text_write_databases(rule, out);
}
