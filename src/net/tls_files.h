/* The files of a server with TLS. */
#ifndef KEYSTORE_NET_TLS_FILES_H
#define KEYSTORE_NET_TLS_FILES_H

/* Whether clients show certificates. One that is shown must be valid in either case. */
enum net_tls_client_certs {
    NET_TLS_CLIENT_CERTS_OFF, /* they are not asked for */
    NET_TLS_CLIENT_CERTS_OPTIONAL,
    NET_TLS_CLIENT_CERTS_REQUIRED,
};

/* Paths of PEM files. */
struct net_tls_files {
    const char *cert;      /* the server's certificate, then those between it and the CA */
    const char *key;       /* its private key, not encrypted */
    const char *client_ca; /* CAs of clients' certificates; NULL or empty: none */
    enum net_tls_client_certs client_certs;
};

/* Bytes of an error message, with the terminating zero. */
#define NET_TLS_WHY_SIZE 1200

#endif
