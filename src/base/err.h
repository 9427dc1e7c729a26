/* The errors of operations. service/status.c maps them to gRPC statuses and their details. */
#ifndef KEYSTORE_BASE_ERR_H
#define KEYSTORE_BASE_ERR_H

enum err {
    ERR_NONE = 0,
    ERR_WRONG_TYPE,      /* the key holds another type than the operation needs */
    ERR_BAD_ARGUMENT,    /* empty key, database out of range, contradictory fields */
    ERR_NOT_A_NUMBER,    /* the string is not an integer, or not a real number */
    ERR_OUT_OF_RANGE,    /* a number would overflow; no element has that index */
    ERR_OUT_OF_MEMORY,   /* the memory limit is reached; reads and removals still work */
    ERR_TOO_LARGE,       /* key, value, message or answer over its limit */
    ERR_BAD_MESSAGE,     /* the request cannot be decoded or inflated */
    ERR_NOT_SERVED,      /* unknown method, field or compression; not exactly one message */
    ERR_DEADLINE,        /* the caller's deadline passed before anything was done */
    ERR_LOADING,         /* the data is still being loaded */
    ERR_READ_ONLY,       /* the disk fails or is full: writes are refused */
    ERR_NOT_DURABLE,     /* applied, or read, but the disk failed: a restart may lose it */
    ERR_STOPPING,        /* the server is shutting down */
    ERR_HISTORY_LOST,    /* changes that were asked for are not available any longer */
    ERR_NOT_READ,        /* the caller did not read a stream's replies in time */
    ERR_ID_REUSED,       /* the request id belongs to another request */
    ERR_ALREADY_DONE,    /* a repeated write had taken effect, but its reply was not kept */
    ERR_UNAUTHENTICATED, /* no credentials, or wrong ones */
    ERR_FORBIDDEN,       /* the credentials do not allow it */
    ERR_NOT_FOUND,       /* the server has nothing of the name in the request; not for keys */
    ERR_THROTTLED,       /* too many attempts; it passes, and the error says when */
    ERR_NO_USERS,        /* the server has no users, whom the call is about */
    ERR_TOO_MANY_CALLS,  /* more calls in flight, or per second, than all or the user may have */
    ERR_COUNT,           /* of the above: those that clients distinguish by their reasons */

    /* Two of them, but they pass by themselves, so that a client is advised to try again: */
    ERR_NO_CLIENT_MEMORY = ERR_COUNT, /* ERR_OUT_OF_MEMORY: of what requests and answers take */
    ERR_TOO_MANY_AT_ONCE,             /* ERR_TOO_LARGE: the requests in flight together */
    ERR_ALL,
};

#endif
