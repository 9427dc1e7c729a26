/* Understands command lines. Refuses to know servers, terminals and how replies look. */
#include "cli/commands.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#define ANY_NUMBER SIZE_MAX

/* Longest command name that is compared with a misspelt one. */
#define NAME_LIMIT 16

/* Of a word that is quoted in a sentence. */
#define QUOTE_LIMIT 40

static bool is_word(struct keystore_slice word, const char *text)
{
    return word.len == strlen(text) && strncasecmp(word.data, text, word.len) == 0;
}

static int quoted_len(struct keystore_slice word)
{
    return word.len < QUOTE_LIMIT ? (int)word.len : QUOTE_LIMIT;
}

/* The whole word as a decimal number. */
static bool parse_integer(struct keystore_slice word, int64_t *out)
{
    char text[24];
    if (word.len == 0 || word.len >= sizeof text || isspace(*(const unsigned char *)word.data))
        return false;
    memcpy(text, word.data, word.len);
    text[word.len] = '\0';
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && end == text + word.len;
}

static bool build_key(const struct command *command, struct words args, struct request *request,
                      char problem[static COMMANDS_PROBLEM_SIZE])
{
    (void)command;
    (void)problem;
    request->key = args.items[0];
    return true;
}

static bool set_existence(struct request *request, enum keystore_existence existence,
                          char problem[static COMMANDS_PROBLEM_SIZE])
{
    if (request->existence != KEYSTORE_ANY && request->existence != existence) {
        snprintf(problem, COMMANDS_PROBLEM_SIZE,
                 "NX (only if absent) and XX (only if present) exclude each other: give one");
        return false;
    }
    request->existence = existence;
    return true;
}

static bool build_set_option(const struct command *command, struct keystore_slice option,
                             struct request *request, char problem[static COMMANDS_PROBLEM_SIZE])
{
    if (is_word(option, "NX"))
        return set_existence(request, KEYSTORE_ABSENT, problem);
    if (is_word(option, "XX"))
        return set_existence(request, KEYSTORE_PRESENT, problem);
    if (is_word(option, "GET")) {
        request->return_previous = true;
        return true;
    }
    snprintf(problem, COMMANDS_PROBLEM_SIZE,
             "SET has no option '%.*s', only NX, XX and GET; usage: SET %s (a value with spaces "
             "needs quotes)",
             quoted_len(option), (const char *)option.data, command->usage);
    return false;
}

static bool build_set(const struct command *command, struct words args, struct request *request,
                      char problem[static COMMANDS_PROBLEM_SIZE])
{
    request->key = args.items[0];
    request->value = args.items[1];
    for (size_t i = 2; i < args.count; i++)
        if (!build_set_option(command, args.items[i], request, problem))
            return false;
    return true;
}

static bool build_lpush(const struct command *command, struct words args, struct request *request,
                        char problem[static COMMANDS_PROBLEM_SIZE])
{
    (void)problem;
    request->key = args.items[0];
    request->values = args.items + 1;
    request->count = args.count - 1;
    if (strcmp(command->name, "LPUSHX") == 0)
        request->existence = KEYSTORE_PRESENT;
    return true;
}

static bool build_index(struct keystore_slice word, int64_t *out,
                        char problem[static COMMANDS_PROBLEM_SIZE])
{
    if (parse_integer(word, out))
        return true;
    snprintf(problem, COMMANDS_PROBLEM_SIZE,
             "'%.*s' is not an index: LRANGE takes integers, 0 for the first element and -1 for "
             "the last",
             quoted_len(word), (const char *)word.data);
    return false;
}

static bool build_lrange(const struct command *command, struct words args, struct request *request,
                         char problem[static COMMANDS_PROBLEM_SIZE])
{
    (void)command;
    request->key = args.items[0];
    return build_index(args.items[1], &request->start, problem) &&
           build_index(args.items[2], &request->stop, problem);
}

static bool build_select(const struct command *command, struct words args, struct request *request,
                         char problem[static COMMANDS_PROBLEM_SIZE])
{
    (void)command;
    int64_t db;
    if (parse_integer(args.items[0], &db) && db >= 0 && db <= COMMANDS_LAST_DB) {
        request->db = (uint32_t)db;
        return true;
    }
    snprintf(problem, COMMANDS_PROBLEM_SIZE, "'%.*s' is not a database: SELECT takes 0 to %d",
             quoted_len(args.items[0]), (const char *)args.items[0].data, COMMANDS_LAST_DB);
    return false;
}

static bool refuse_unknown(struct keystore_slice name, char problem[static COMMANDS_PROBLEM_SIZE]);

static bool build_help(const struct command *command, struct words args, struct request *request,
                       char problem[static COMMANDS_PROBLEM_SIZE])
{
    (void)command;
    if (args.count == 0)
        return true;
    request->topic = commands_find(args.items[0]);
    return request->topic != NULL || refuse_unknown(args.items[0], problem);
}

static const struct command table[] = {
    {"SET", "key value [NX|XX] [GET]",
     "Store a value; NX: if absent, XX: if present, GET: answer the old one", 2, 4, REQUEST_SET,
     build_set},
    {"GET", "key", "The value of a key", 1, 1, REQUEST_GET, build_key},
    {"DELETE", "key", "Remove one key of any type", 1, 1, REQUEST_DELETE, build_key},
    {"DEL", "key", "The same as DELETE", 1, 1, REQUEST_DELETE, build_key},
    {"LPUSH", "key value [value ...]", "Put values before the head of a list, one after the other",
     2, ANY_NUMBER, REQUEST_LPUSH, build_lpush},
    {"LPUSHX", "key value [value ...]", "LPUSH only if the list exists", 2, ANY_NUMBER,
     REQUEST_LPUSH, build_lpush},
    {"LRANGE", "key start stop", "Elements of a list; 0 is the first, -1 the last", 3, 3,
     REQUEST_LRANGE, build_lrange},
    {"LPOP", "key", "Remove and answer the head of a list", 1, 1, REQUEST_LPOP, build_key},
    {"SELECT", "db", "Use another database (0 to 15) for the commands that follow", 1, 1,
     REQUEST_SELECT, build_select},
    {"HELP", "[command]", "This list, or one command", 0, 1, REQUEST_HELP, build_help},
    {"CLEAR", "", "Clear the screen", 0, 0, REQUEST_CLEAR, NULL},
    {"QUIT", "", "Leave", 0, 0, REQUEST_QUIT, NULL},
    {"EXIT", "", "Leave", 0, 0, REQUEST_QUIT, NULL},
};
#define TABLE_SIZE (sizeof table / sizeof *table)

const struct command *commands_table(size_t *count)
{
    *count = TABLE_SIZE;
    return table;
}

const struct command *commands_find(struct keystore_slice name)
{
    for (size_t i = 0; i < TABLE_SIZE; i++)
        if (is_word(name, table[i].name))
            return &table[i];
    return NULL;
}

/* How many letters must change to make one word the other (Levenshtein). */
static size_t distance(struct keystore_slice word, const char *name)
{
    const unsigned char *letters = word.data;
    size_t name_len = strlen(name);
    size_t row[NAME_LIMIT + 1];
    for (size_t j = 0; j <= name_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= word.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= name_len; j++) {
            size_t cost = toupper(letters[i - 1]) == name[j - 1] ? 0 : 1;
            size_t best = diagonal + cost;
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[name_len];
}

/* The command that was probably meant; NULL if none is near. */
static const struct command *nearest(struct keystore_slice name)
{
    const struct command *best = NULL;
    size_t best_distance = name.len < 3 ? 2 : 3; /* must be below */
    if (name.len > NAME_LIMIT)
        return NULL;
    for (size_t i = 0; i < TABLE_SIZE; i++) {
        size_t d = distance(name, table[i].name);
        if (d < best_distance) {
            best_distance = d;
            best = &table[i];
        }
    }
    return best;
}

static bool refuse_unknown(struct keystore_slice name, char problem[static COMMANDS_PROBLEM_SIZE])
{
    const struct command *meant = nearest(name);
    int len = snprintf(problem, COMMANDS_PROBLEM_SIZE, "unknown command '%.*s'", quoted_len(name),
                       (const char *)name.data);
    if (meant != NULL) {
        snprintf(problem + len, COMMANDS_PROBLEM_SIZE - (size_t)len,
                 ": did you mean %s? HELP lists all commands", meant->name);
        return false;
    }
    for (size_t i = 0; i < TABLE_SIZE; i++)
        len += snprintf(problem + len, COMMANDS_PROBLEM_SIZE - (size_t)len, "%s %s",
                        i == 0 ? ": the commands are" : ",", table[i].name);
    return false;
}

static bool refuse_count(const struct command *command, size_t count,
                         char problem[static COMMANDS_PROBLEM_SIZE])
{
    char wanted[40];
    if (command->max_args == 0)
        snprintf(wanted, sizeof wanted, "no arguments");
    else if (command->min_args == command->max_args)
        snprintf(wanted, sizeof wanted, "exactly %zu argument%s", command->min_args,
                 command->min_args == 1 ? "" : "s");
    else if (command->max_args == ANY_NUMBER)
        snprintf(wanted, sizeof wanted, "at least %zu arguments", command->min_args);
    else
        snprintf(wanted, sizeof wanted, "%zu to %zu arguments", command->min_args,
                 command->max_args);
    snprintf(problem, COMMANDS_PROBLEM_SIZE, "%s takes %s, not %zu; usage: %s%s%s", command->name,
             wanted, count, command->name, command->usage[0] != '\0' ? " " : "", command->usage);
    return false;
}

bool commands_parse(struct words words, struct request *request,
                    char problem[static COMMANDS_PROBLEM_SIZE])
{
    const struct command *command = commands_find(words.items[0]);
    if (command == NULL)
        return refuse_unknown(words.items[0], problem);
    struct words args = {.items = words.items + 1, .count = words.count - 1};
    if (args.count < command->min_args || args.count > command->max_args)
        return refuse_count(command, args.count, problem);
    *request = (struct request){.type = command->type};
    return command->build == NULL || command->build(command, args, request, problem);
}

void commands_print_help(FILE *out, const struct command *topic)
{
    if (topic != NULL) {
        fprintf(out, "%s %s\n  %s.\n", topic->name, topic->usage, topic->help);
        return;
    }
    for (size_t i = 0; i < TABLE_SIZE; i++) {
        char head[48];
        snprintf(head, sizeof head, "%s %s", table[i].name, table[i].usage);
        fprintf(out, "  %-28s %s\n", head, table[i].help);
    }
}
