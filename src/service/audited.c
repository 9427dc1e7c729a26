/* Describes calls for the audit log. Which ones are worth a record is decided here. */
#include "service/audited.h"

#include "base/code_name.h"
#include "grpc/server.h"
#include "service/identity.h"
#include "service/request.h"

#include <stdio.h>

static bool audited_is_denied(enum grpc_code code)
{
    return code == GRPC_UNAUTHENTICATED || code == GRPC_PERMISSION_DENIED;
}

static void audited_put_credential(struct audit_event *event, const struct identity *identity)
{
    if (identity->token != NULL)
        snprintf(event->credential, sizeof event->credential, "token:%s", identity->token->id);
    else if (identity->means == IDENTITY_SESSION)
        snprintf(event->credential, sizeof event->credential, "session");
    else if (identity->means == IDENTITY_UNIX)
        snprintf(event->credential, sizeof event->credential, "unix:%u", identity->uid);
    else if (identity->means == IDENTITY_CERTIFICATE)
        snprintf(event->credential, sizeof event->credential, "certificate");
}

/* The rule that allowed an administrative call. */
static int audited_find_rule(const struct grpc_principal *principal, struct grpc_call *call,
                             const struct method *method)
{
    struct access_reason reason = {.rule = NULL};
    const struct access_rules *rules = identity_rules(principal);
    const struct request *request = grpc_call_user(call);
    if (rules == NULL)
        return 0;
    if (method->kind == OP_COUNT)
        (void)access_is_admin(rules, &reason);
    else if (request != NULL && !grpc_call_is_waiting(call)) /* all of it is in its struct op */
        (void)access_allows(rules, &request->task.op, &reason);
    return reason.rule != NULL ? reason.rule->line : 0;
}

static void audited_put_call(const struct service_options *options, struct grpc_call *call,
                             const struct method *method, struct audit_event *event)
{
    const struct grpc_principal *principal = grpc_call_principal(call);
    size_t number = route_method_number(method);
    snprintf(event->rpc_method, sizeof event->rpc_method, "/%s/%s", route_method_service(number),
             route_method_name(number));
    if (principal != NULL) {
        snprintf(event->principal, sizeof event->principal, "%s", identity_rules(principal)->user);
        audited_put_credential(event, (const struct identity *)principal);
    }
    if (options->print_peer != NULL)
        options->print_peer(grpc_call_connection_user(call), event->peer);
}

static void audited_put_reason(struct audit_event *event, const char *reason, size_t length)
{
    snprintf(event->reason, sizeof event->reason, "%.*s", (int)length, reason);
}

void audited_on_outcome(const struct service_options *options, struct grpc_call *call,
                        const struct grpc_outcome *outcome)
{
    const struct audit_sink *sink = options->audit;
    const struct method *method = outcome->method;
    bool is_denied = audited_is_denied(outcome->code);
    if (sink == NULL || (!is_denied && !route_is_admin(method)))
        return;
    struct audit_event event = {
        .event = "call", .authorized = !is_denied, .status = code_name(outcome->code)};
    audited_put_call(options, call, method, &event);
    if (is_denied) /* other messages may name keys */
        audited_put_reason(&event, (const char *)outcome->message.data, outcome->message.len);
    else
        event.matched_line = audited_find_rule(grpc_call_principal(call), call, method);
    sink->note(sink->user, &event);
}

void audited_note_operation(const struct service_options *options, struct grpc_call *call,
                            const void *method, enum op_kind kind, const struct op_result *result)
{
    const struct audit_sink *sink = options->audit;
    if (sink == NULL || result->err != ERR_FORBIDDEN)
        return;
    struct audit_event event = {.event = "operation",
                                .operation = op_info(kind)->name,
                                .status = code_name(GRPC_PERMISSION_DENIED)};
    audited_put_call(options, call, method, &event);
    audited_put_reason(&event, result->why, strlen(result->why));
    sink->note(sink->user, &event);
}

void audited_note_login(const struct service_options *options, struct grpc_call *call,
                        const void *method, const char *name)
{
    const struct audit_sink *sink = options->audit;
    if (sink == NULL)
        return;
    struct audit_event event = {.event = "call",
                                .credential = "password",
                                .authorized = true,
                                .status = code_name(GRPC_OK)};
    audited_put_call(options, call, method, &event);
    snprintf(event.principal, sizeof event.principal, "%s", name);
    sink->note(sink->user, &event);
}
