/*
 * Has sslscan offer the protocol h2 (ALPN), which it cannot, and without which the server refuses
 * every handshake: loaded with LD_PRELOAD, it adds the extension to those that OpenSSL makes, and
 * to the ClientHello messages that sslscan makes itself and sends with send(2).
 */
#include <dlfcn.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#define MAX_HELLO 16384

static const unsigned char extension[] = {0, 16, 0, 5, 0, 3, 2, 'h', '2'};

SSL_CTX *SSL_CTX_new(const SSL_METHOD *method)
{
    SSL_CTX *(*next)(const SSL_METHOD *) = NULL;
    *(void **)&next = dlsym(RTLD_NEXT, "SSL_CTX_new");
    SSL_CTX *context = next(method);
    if (context != NULL)
        SSL_CTX_set_alpn_protos(context, extension + 6, 3);
    return context;
}

static size_t number_at(const unsigned char *bytes, int size)
{
    size_t number = 0;
    while (size-- > 0)
        number = number << 8 | *bytes++;
    return number;
}

static void add_at(unsigned char *bytes, int size, size_t more)
{
    size_t number = number_at(bytes, size) + more;
    for (int i = size - 1; i >= 0; i--, number >>= 8)
        bytes[i] = (unsigned char)number;
}

/* Where the length of the extensions is in a record with one ClientHello; 0: this is none. */
static size_t extensions_of(const unsigned char *record, size_t len)
{
    if (len < 44 || record[0] != 22 || record[5] != 1 || number_at(record + 3, 2) + 5 != len)
        return 0;
    size_t at = 43; /* record, message, version, random */
    at += 1 + record[at];
    if (at + 2 > len)
        return 0;
    at += 2 + number_at(record + at, 2);
    if (at + 1 > len)
        return 0;
    at += 1u + record[at];
    return at + 2 <= len && at + 2 + number_at(record + at, 2) == len ? at : 0;
}

ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
    ssize_t (*next)(int, const void *, size_t, int) = NULL;
    unsigned char hello[MAX_HELLO + sizeof extension];
    *(void **)&next = dlsym(RTLD_NEXT, "send");
    size_t at = len <= MAX_HELLO ? extensions_of(bytes, len) : 0;
    if (at == 0)
        return next(fd, bytes, len, flags);
    memcpy(hello, bytes, len);
    memcpy(hello + len, extension, sizeof extension);
    add_at(hello + 3, 2, sizeof extension);
    add_at(hello + 6, 3, sizeof extension);
    add_at(hello + at, 2, sizeof extension);
    ssize_t sent = next(fd, hello, len + sizeof extension, flags);
    return sent == (ssize_t)(len + sizeof extension) ? (ssize_t)len : -1;
}
