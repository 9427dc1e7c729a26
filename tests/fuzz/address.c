/*
 * Addresses as users write them, to listen on and to connect to: what is accepted is an address,
 * and its text is accepted, too.
 */
#include "common/target.h"

#include "client/target.h"
#include "net/address.h"

static void check_listener(const char *text)
{
    struct net_address address, again;
    const char *why = NULL;
    if (!net_address_parse(text, &address, &why)) {
        CHECK(why != NULL);
        return;
    }
    CHECK(address.size > 0 && address.size <= sizeof address.socket);
    CHECK(strlen(address.text) < sizeof address.text);
    CHECK(net_address_is_unix(&address) || net_address_port(&address) <= 65535);
    bool named = net_address_name(&address);
    CHECK(named);
    bool parsed = net_address_parse(address.text, &again, &why);
    CHECK(parsed && again.size == address.size);
}

static void check_target(const char *text)
{
    struct target target, again;
    struct keystore_error error = {0};
    if (!target_parse(text, &target, &error)) {
        CHECK(error.code == KEYSTORE_INVALID_ARGUMENT && error.message[0] != '\0');
        return;
    }
    CHECK(target.is_unix ? target.path[0] != '\0' : target.host[0] != '\0');
    if (strcmp(target.host, "unix") == 0) /* with its port it would be a socket's path */
        return;
    bool parsed = target_parse(target.name, &again, &error);
    CHECK(parsed && again.is_unix == target.is_unix);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = target_string(slice_make(data, size));
    check_listener(text);
    check_target(text);
    free(text);
    return 0;
}
