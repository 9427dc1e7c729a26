/* Parses addresses of servers. Does not know name resolution and sockets. */
#include "client/target.h"

#include "client/status.h"

#include <stdio.h>
#include <stdlib.h>

static const char forms[] = "write HOST:PORT, HOST, [IPV6]:PORT or unix:PATH";

static bool target_refuse(struct keystore_error *error, const char *text, const char *what)
{
    status_set(error, KEYSTORE_INVALID_ARGUMENT, "the target '%.200s' %s: %s", text, what, forms);
    return false;
}

/* Copies text[0..len) as a string; false if it does not fit or is empty. */
static bool target_copy(char *out, size_t size, const char *text, size_t len)
{
    if (len == 0 || len >= size)
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

static bool target_is_port(const char *text)
{
    size_t len = strlen(text);
    if (len == 0 || len > 5 || strspn(text, "0123456789") != len)
        return false;
    long port = strtol(text, NULL, 10);
    return port >= 1 && port <= 65535;
}

static bool target_parse_unix(const char *text, struct target *target, struct keystore_error *error)
{
    const char *path = text + strlen("unix:");
    if (!target_copy(target->path, sizeof target->path, path, strlen(path)))
        return target_refuse(error, text, "needs a path of 1 to 107 bytes after 'unix:'");
    target->is_unix = true;
    snprintf(target->authority, sizeof target->authority, "localhost");
    snprintf(target->name, sizeof target->name, "unix:%s", target->path);
    return true;
}

/* Splits the text at the port; *rest is what follows the host: "" or ":PORT". */
static bool target_parse_host(const char *text, struct target *target, const char **rest)
{
    if (text[0] != '[') {
        size_t len = strcspn(text, ":");
        *rest = text + len;
        return target_copy(target->host, sizeof target->host, text, len);
    }
    const char *end = strchr(text, ']');
    if (end == NULL)
        return false;
    *rest = end + 1;
    return target_copy(target->host, sizeof target->host, text + 1, (size_t)(end - text) - 1);
}

static bool target_parse_tcp(const char *text, struct target *target, struct keystore_error *error)
{
    const char *rest;
    if (!target_parse_host(text, target, &rest))
        return target_refuse(error, text, "has no host");
    if (text[0] != '[' && rest[0] == ':' && strchr(rest + 1, ':') != NULL)
        return target_refuse(error, text, "has more than one ':' (an IPv6 address needs brackets)");
    if (rest[0] != '\0' && (rest[0] != ':' || !target_is_port(rest + 1)))
        return target_refuse(error, text, "needs a port from 1 to 65535 after the host");
    const char *port = rest[0] == ':' ? rest + 1 : TARGET_DEFAULT_PORT;
    snprintf(target->port, sizeof target->port, "%s", port);
    const char *format = text[0] == '[' ? "[%s]:%s" : "%s:%s";
    snprintf(target->authority, sizeof target->authority, format, target->host, target->port);
    snprintf(target->name, sizeof target->name, "%s", target->authority);
    return true;
}

bool target_parse(const char *text, struct target *target, struct keystore_error *error)
{
    *target = (struct target){0};
    if (text == NULL || text[0] == '\0') {
        status_set(error, KEYSTORE_INVALID_ARGUMENT, "the target is empty: %s", forms);
        return false;
    }
    if (strncmp(text, "unix:", strlen("unix:")) == 0)
        return target_parse_unix(text, target, error);
    return target_parse_tcp(text, target, error);
}
