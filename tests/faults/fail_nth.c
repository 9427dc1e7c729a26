/*
 * A library to preload: lets the Nth call of functions that may fail do so, as they do when memory
 * or something else of the system runs out. It counts the calls of the program and those between
 * the libraries. The test shares a file with it, FAIL_NTH_FILE, whose layout is struct fail_nth;
 * FAIL_NTH_KIND says which functions: malloc, openssl or libuv. With FAIL_NTH_TRACE it writes to
 * standard error where the call that fails came from.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <uv.h>

struct fail_nth {
    _Atomic int64_t countdown; /* until the call that fails, which makes it 0; below: none does */
    _Atomic int64_t calls;     /* how many there were */
    char failed[48];           /* the function that did */
};

enum kind { KIND_NONE, KIND_MALLOC, KIND_OPENSSL, KIND_LIBUV };

static struct fail_nth *shared;
static enum kind kind;
static bool is_traced;

__attribute__((constructor)) static void fail_nth_open(void)
{
    const char *path = getenv("FAIL_NTH_FILE"), *name = getenv("FAIL_NTH_KIND");
    int file = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0 || name == NULL)
        return;
    void *mapped = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (mapped == MAP_FAILED)
        return;
    shared = mapped;
    is_traced = getenv("FAIL_NTH_TRACE") != NULL;
    kind = strcmp(name, "malloc") == 0    ? KIND_MALLOC
           : strcmp(name, "openssl") == 0 ? KIND_OPENSSL
                                          : KIND_LIBUV;
}

/* True if this call is to fail. */
static bool fail_nth_now(enum kind of, const char *name)
{
    if (kind != of || shared == NULL)
        return false;
    atomic_fetch_add(&shared->calls, 1);
    if (atomic_load(&shared->countdown) <= 0 || atomic_fetch_sub(&shared->countdown, 1) != 1)
        return false;
    strncpy(shared->failed, name, sizeof shared->failed - 1);
    if (is_traced) {
        void *frames[32];
        backtrace_symbols_fd(frames, backtrace(frames, 32), STDERR_FILENO);
    }
    return true;
}

/* ---- malloc ---- */

#ifndef FAIL_NTH_WITHOUT_MALLOC /* which a sanitizer has of its own */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static bool fail_nth_memory(const char *name)
{
    if (!fail_nth_now(KIND_MALLOC, name))
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fail_nth_memory("malloc") ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fail_nth_memory("calloc") ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return fail_nth_memory("realloc") ? NULL : __libc_realloc(memory, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    void *made =
        fail_nth_now(KIND_MALLOC, "posix_memalign") ? NULL : __libc_memalign(alignment, size);
    if (made == NULL)
        return ENOMEM;
    *memory = made;
    return 0;
}
#endif

/* ---- OpenSSL and libuv ----
 *
 * FAIL(kind, result when it fails, type, name, parameters, arguments) */

static void fail_nth_openssl_error(void)
{
    ERR_raise(ERR_LIB_SSL, ERR_R_MALLOC_FAILURE);
}

#define FAIL(of, failure, type, name, parameters, arguments)                                       \
    type name parameters                                                                           \
    {                                                                                              \
        static type(*real) parameters;                                                             \
        if (real == NULL)                                                                          \
            *(void **)&real = dlsym(RTLD_NEXT, #name);                                             \
        if (!fail_nth_now(of, #name))                                                              \
            return real arguments;                                                                 \
        if ((of) == KIND_OPENSSL)                                                                  \
            fail_nth_openssl_error();                                                              \
        return failure;                                                                            \
    }
#define SSL_(failure, type, name, parameters, arguments)                                           \
    FAIL(KIND_OPENSSL, failure, type, name, parameters, arguments)
#define UV_(failure, name, parameters, arguments)                                                  \
    FAIL(KIND_LIBUV, failure, int, name, parameters, arguments)

SSL_(NULL, BIO_METHOD *, BIO_meth_new, (int type, const char *name), (type, name))
SSL_(NULL, BIO *, BIO_new, (const BIO_METHOD *method), (method))
SSL_(NULL, SSL_CTX *, SSL_CTX_new, (const SSL_METHOD *method), (method))
SSL_(NULL, SSL *, SSL_new, (SSL_CTX * context), (context))
SSL_(NULL, STACK_OF(X509_NAME) *, SSL_load_client_CA_file, (const char *path), (path))
SSL_(0, int, SSL_CTX_load_verify_file, (SSL_CTX * context, const char *path), (context, path))
SSL_(0, int, SSL_CTX_set_cipher_list, (SSL_CTX * context, const char *list), (context, list))
SSL_(0, int, SSL_CTX_set_ciphersuites, (SSL_CTX * context, const char *list), (context, list))
SSL_(0, int, SSL_CTX_use_PrivateKey_file, (SSL_CTX * context, const char *path, int type),
     (context, path, type))
SSL_(0, int, SSL_CTX_use_certificate_chain_file, (SSL_CTX * context, const char *path),
     (context, path))
SSL_(0, int, SSL_CTX_set_session_id_context,
     (SSL_CTX * context, const unsigned char *id, unsigned int len), (context, id, len))
SSL_(0, int, SSL_set_ex_data, (SSL * ssl, int index, void *data), (ssl, index, data))
SSL_(0, int, SSL_read_ex, (SSL * ssl, void *buffer, size_t size, size_t *got),
     (ssl, buffer, size, got))
SSL_(0, int, SSL_write_ex, (SSL * ssl, const void *buffer, size_t size, size_t *written),
     (ssl, buffer, size, written))
SSL_(-1, int, SSL_shutdown, (SSL * ssl), (ssl))
SSL_(NULL, void *, X509_get_ext_d2i, (const X509 *certificate, int id, int *critical, int *index),
     (certificate, id, critical, index))
SSL_(-1, int, X509_NAME_print_ex,
     (BIO * out, const X509_NAME *name, int indent, unsigned long flags),
     (out, name, indent, flags))

UV_(UV_ENOMEM, uv_loop_init, (uv_loop_t * loop), (loop))
UV_(UV_EMFILE, uv_async_init, (uv_loop_t * loop, uv_async_t *async, uv_async_cb callback),
    (loop, async, callback))
UV_(UV_ENOMEM, uv_poll_init, (uv_loop_t * loop, uv_poll_t *handle, int file), (loop, handle, file))
UV_(UV_ENOMEM, uv_tcp_open, (uv_tcp_t * handle, uv_os_sock_t file), (handle, file))
UV_(UV_EINVAL, uv_tcp_nodelay, (uv_tcp_t * handle, int enable), (handle, enable))
UV_(UV_ENOMEM, uv_pipe_open, (uv_pipe_t * handle, uv_file file), (handle, file))
UV_(UV_ENOTCONN, uv_read_start, (uv_stream_t * stream, uv_alloc_cb alloc, uv_read_cb callback),
    (stream, alloc, callback))
UV_(UV_ENOBUFS, uv_try_write, (uv_stream_t * stream, const uv_buf_t *buffers, unsigned int count),
    (stream, buffers, count))
UV_(UV_ENOMEM, uv_write,
    (uv_write_t * request, uv_stream_t *stream, const uv_buf_t *buffers, unsigned int count,
     uv_write_cb callback),
    (request, stream, buffers, count, callback))
