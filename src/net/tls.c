/* Shares an SSL_CTX, which OpenSSL counts the references of, and replaces it as a whole. */
#include "net/tls.h"

#include "base/mem.h"
#include "net/tls_context.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { TLS_CERT, TLS_KEY, TLS_CLIENT_CA, TLS_FILES };

/* What distinguishes a version of a file; all zero if there is none. */
struct tls_stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified;
};

struct net_tls {
    char *paths[TLS_FILES];
    enum net_tls_client_certs client_certs;
    struct tls_stamp stamps[TLS_FILES]; /* before they were last loaded */
    pthread_mutex_t lock;               /* of the following two; held briefly */
    SSL_CTX *context;
    int64_t expires_s;
    atomic_uint_fast64_t handshakes, failures;
};

static struct tls_stamp tls_stamp_of(const char *path)
{
    struct stat status;
    if (path == NULL || stat(path, &status) != 0)
        return (struct tls_stamp){0};
    return (struct tls_stamp){.device = status.st_dev,
                              .inode = status.st_ino,
                              .size = status.st_size,
                              .modified = status.st_mtim};
}

static bool tls_is_same(const struct tls_stamp *a, const struct tls_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec;
}

bool net_tls_has_changed(const struct net_tls *tls)
{
    for (size_t i = 0; i < TLS_FILES; i++) {
        struct tls_stamp now = tls_stamp_of(tls->paths[i]);
        if (!tls_is_same(&now, &tls->stamps[i]))
            return true;
    }
    return false;
}

/* The stamps are taken first: a file that changes while it is read is loaded again. */
bool net_tls_reload(struct net_tls *tls, char why[static NET_TLS_WHY_SIZE])
{
    const struct net_tls_files files = {.cert = tls->paths[TLS_CERT],
                                        .key = tls->paths[TLS_KEY],
                                        .client_ca = tls->paths[TLS_CLIENT_CA],
                                        .client_certs = tls->client_certs};
    int64_t expires_s;
    for (size_t i = 0; i < TLS_FILES; i++)
        tls->stamps[i] = tls_stamp_of(tls->paths[i]);
    SSL_CTX *fresh = tls_context_load(&files, &expires_s, why), *former;
    if (fresh == NULL)
        return false;
    pthread_mutex_lock(&tls->lock);
    former = tls->context;
    tls->context = fresh;
    tls->expires_s = expires_s;
    pthread_mutex_unlock(&tls->lock);
    SSL_CTX_free(former); /* open connections hold it */
    return true;
}

struct net_tls *net_tls_new(const struct net_tls_files *files, char why[static NET_TLS_WHY_SIZE])
{
    struct net_tls *tls = mem_alloc_zero(sizeof *tls);
    bool has_ca = files->client_ca != NULL && files->client_ca[0] != '\0';
    tls->paths[TLS_CERT] = mem_copy_text(files->cert);
    tls->paths[TLS_KEY] = mem_copy_text(files->key);
    tls->paths[TLS_CLIENT_CA] = has_ca ? mem_copy_text(files->client_ca) : NULL;
    tls->client_certs = files->client_certs;
    pthread_mutex_init(&tls->lock, NULL);
    if (net_tls_reload(tls, why))
        return tls;
    net_tls_free(tls);
    return NULL;
}

void net_tls_free(struct net_tls *tls)
{
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->context);
    pthread_mutex_destroy(&tls->lock);
    for (size_t i = 0; i < TLS_FILES; i++)
        free(tls->paths[i]);
    free(tls);
}

struct net_tls_counts net_tls_counts(struct net_tls *tls)
{
    pthread_mutex_lock(&tls->lock);
    int64_t expires_s = tls->expires_s;
    pthread_mutex_unlock(&tls->lock);
    return (struct net_tls_counts){.handshakes = atomic_load(&tls->handshakes),
                                   .failures = atomic_load(&tls->failures),
                                   .expires_s = expires_s};
}

struct ssl_st *net_tls_open(struct net_tls *tls)
{
    pthread_mutex_lock(&tls->lock);
    SSL *ssl = SSL_new(tls->context);
    pthread_mutex_unlock(&tls->lock);
    return ssl;
}

void net_tls_count(struct net_tls *tls, bool failed)
{
    atomic_fetch_add_explicit(failed ? &tls->failures : &tls->handshakes, 1, memory_order_relaxed);
}
