/*
 * What an audit log is told of: calls that were denied, those that administrate the server, denied
 * or not, and logins. An event holds no key and no value. What keeps the events is the sink's.
 */
#ifndef KEYSTORE_SERVICE_AUDITED_H
#define KEYSTORE_SERVICE_AUDITED_H

#include "access/access.h"
#include "grpc/handler.h"
#include "service/service_options.h"

struct op_result;

/* Bytes of the longest path of a method, of a credential and of a reason that is kept, each with
 * its terminating zero. */
#define AUDIT_METHOD     96
#define AUDIT_CREDENTIAL (ACCESS_MOST_NAME + 16)
#define AUDIT_REASON     256

struct audit_event {
    const char *event; /* static: "call", "operation" of a Pipeline, "users_file" and so on */
    char rpc_method[AUDIT_METHOD];
    const char *operation; /* static: of a Pipeline, which was denied; NULL: it is no such event */
    char principal[ACCESS_MOST_NAME + 1]; /* the user; empty: nobody is known */
    char credential[AUDIT_CREDENTIAL];    /* "token:ID", "session", "password", "certificate" or
                                             "unix:UID"; empty: none */
    char peer[SERVICE_PEER_TEXT];         /* empty: it has none */
    int matched_line; /* of the users file: the rule that allowed it; 0: none is known */
    bool authorized;
    const char *status;        /* static: OK or gRPC's name of the error; NULL: it has none */
    char reason[AUDIT_REASON]; /* the error message; empty: there is none */
};

/* Takes events; callable from any thread, and never waits. */
struct audit_sink {
    void (*note)(void *user, const struct audit_event *event);
    void *user;
};

/* A call has ended, as grpc_service.on_outcome says; on its worker. */
void audited_on_outcome(const struct service_options *options, struct grpc_call *call,
                        const struct grpc_outcome *outcome);

/* An operation of a call that goes on has been refused; nothing if it was not for want of a
 * permission. On the worker of the call. */
void audited_note_operation(const struct service_options *options, struct grpc_call *call,
                            const void *method, enum op_kind kind, const struct op_result *result);

/* The user of that name has got a token for a password by that call; on its worker. */
void audited_note_login(const struct service_options *options, struct grpc_call *call,
                        const void *method, const char *name);

#endif
