/* What can go wrong with an operation. One file maps these to gRPC statuses: service/status.c. */
#ifndef KEYSTORE_BASE_ERR_H
#define KEYSTORE_BASE_ERR_H

enum err {
    ERR_NONE = 0,
    ERR_WRONG_TYPE,   /* the key holds another type than the operation needs */
    ERR_BAD_ARGUMENT, /* empty key, database out of range, contradictory fields */
    ERR_TOO_LARGE,    /* key, value, message or answer over its limit */
    ERR_BAD_MESSAGE,  /* the request does not decode */
    ERR_NOT_SERVED,   /* unknown method, field or compression; not exactly one message */
    ERR_DEADLINE,     /* the caller's deadline passed before anything was done */
    ERR_COUNT,
};

#endif
