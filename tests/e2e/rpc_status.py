"""Reads what an error carries: google.rpc.Status with its details, and checks that they agree.

The messages are described here, for Debian has no package with the compiled googleapis for Python.
"""

import re

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

URL = "type.googleapis.com/google.rpc."
TYPES = descriptor_pb2.FieldDescriptorProto
# Of google/rpc/status.proto and error_details.proto: names and types of fields; [X] is repeated.
LAYOUT = {
    "Any": {"type_url": str, "value": bytes},
    "Duration": {"seconds": int, "nanos": int},
    "Status": {"code": int, "message": str, "details": ["Any"]},
    "Entry": {"key": str, "value": str},
    "ErrorInfo": {"reason": str, "domain": str, "metadata": ["Entry"]},
    "RetryInfo": {"retry_delay": "Duration"},
    "Violation": {"subject": str, "description": str},
    "BadRequest": {"violations": ["Violation"]},
    "QuotaFailure": {"violations": ["Violation"]},
    "ResourceInfo": {"resource_type": str, "resource_name": str, "owner": str, "description": str},
}
KINDS = {str: TYPES.TYPE_STRING, bytes: TYPES.TYPE_BYTES, int: TYPES.TYPE_INT64}
NAME = r"[a-z][a-z0-9_]*(?:\[[0-9]+\])?"
PATH = re.compile(rf"({NAME}(?:\.{NAME})*): (.*)", re.DOTALL)
# Errors about metadata, which have no field.
METADATA = ("grpc-timeout", "keystore-")


def _messages():
    file = descriptor_pb2.FileDescriptorProto(name="rpc_status.proto", syntax="proto3")
    for name, fields in LAYOUT.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), 1):
            is_list = isinstance(kind, list)
            added = message.field.add(name=field, number=number, label=(
                TYPES.LABEL_REPEATED if is_list else TYPES.LABEL_OPTIONAL))
            kind = kind[0] if is_list else kind
            if isinstance(kind, str):
                added.type, added.type_name = TYPES.TYPE_MESSAGE, "." + kind
            else:
                added.type = KINDS[kind]
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    return {name: factory.GetPrototype(pool.FindMessageTypeByName(name)) for name in LAYOUT}


MESSAGES = _messages()


class Details:
    """The details of an error, each None if there is none: error_info, retry_ms, field (the path),
    subject and resource (type and name)."""

    def __init__(self, trailers):
        self.status = MESSAGES["Status"].FromString(trailers["grpc-status-details-bin"])
        found = {}
        for detail in self.status.details:
            name = detail.type_url.removeprefix(URL)
            assert name not in found and name in MESSAGES, detail.type_url
            found[name] = MESSAGES[name].FromString(detail.value)
        assert list(found)[0] == "ErrorInfo"
        self.error_info = found["ErrorInfo"]
        self.metadata = {entry.key: entry.value for entry in self.error_info.metadata}
        delay = found["RetryInfo"].retry_delay if "RetryInfo" in found else None
        self.retry_ms = delay and delay.seconds * 1000 + delay.nanos // 1000000
        self.field, self.problem = self._violation(found.get("BadRequest"))
        self.subject, self.excess = self._violation(found.get("QuotaFailure"))
        self.resource = None
        if "ResourceInfo" in found:
            info = found["ResourceInfo"]
            assert len(info.description) >= 10
            self.resource = (info.resource_type, info.resource_name)

    @staticmethod
    def _violation(message):
        if message is None:
            return None, None
        [violation] = message.violations
        assert violation.subject and violation.description
        return violation.subject, violation.description


# What the details of each reason are besides ErrorInfo, for every reason there is. In addition a
# message that begins with the path of a field has BadRequest.
RETRY, NEVER = "RetryInfo", "grpc-retry-pushback-ms: -1"
DETAILS = {
    "WRONG_TYPE": {"ResourceInfo"},
    "NOT_A_NUMBER": set(),
    "OUT_OF_RANGE": set(),
    "BAD_ARGUMENT": {"BadRequest"},  # except of metadata
    "TOO_LARGE": {"QuotaFailure"},
    "OUT_OF_MEMORY": {"QuotaFailure"},
    "READ_ONLY": set(),
    "LOADING": {RETRY},
    "HISTORY_LOST": set(),
    "UNAUTHENTICATED": set(),
    "FORBIDDEN": set(),
    "BAD_MESSAGE": set(),
    "NOT_SERVED": set(),
    "DEADLINE": set(),
    "NOT_DURABLE": {NEVER},  # of a write
    "STOPPING": {RETRY},
    "NOT_READ": {"QuotaFailure"},
    "REQUEST_ID_REUSED": set(),
    "ALREADY_DONE": set(),
    "NOT_FOUND": set(),
    "THROTTLED": {"QuotaFailure", RETRY},
    "NO_USERS": set(),
    "TOO_MANY_CALLS": {RETRY, "QuotaFailure"},
}
# It depends on the error whether it passes or, of NOT_DURABLE, on the call.
SOMETIMES = {"TOO_LARGE": {RETRY}, "OUT_OF_MEMORY": {RETRY}, "NOT_DURABLE": {NEVER}}


def check_details(details, reason, sentence, trailers):
    """Asserts that the details are those that the reason and the sentence demand, and no others."""
    reason = reason.removeprefix("ERROR_REASON_")
    begins_with_path = PATH.fullmatch(sentence)
    assert (details.field, details.problem) == (
        begins_with_path.groups() if begins_with_path else (None, None)), sentence
    pushback = int(trailers.get("grpc-retry-pushback-ms", 0))
    assert details.retry_ms == (pushback if pushback > 0 else None)
    found = {name for name, detail in [
        ("ResourceInfo", details.resource), ("BadRequest", details.field),
        ("QuotaFailure", details.subject), (RETRY, details.retry_ms),
        (NEVER, pushback < 0 or None)] if detail is not None}
    wanted = set(DETAILS[reason])
    if sentence.startswith(METADATA):
        wanted.discard("BadRequest")
    may_be = SOMETIMES.get(reason, set()) | {"BadRequest"}
    assert wanted - may_be <= found <= wanted | may_be, f"{reason}: {sentence}: {found}"
    assert "BadRequest" in found or "BadRequest" not in wanted, f"{sentence!r} has no field"
    assert details.excess in (None, sentence)


def check_error(code, reason, *, got_code, sentence, trailers):
    """Asserts that an error is the stated one and is complete, and returns its Details. Code and
    trailers are plain: a number, and a dict whose -bin values are bytes."""
    assert got_code == code, f"status {got_code} ({sentence}), not {code}"
    assert trailers.get("keystore-reason") == reason, f"trailers: {trailers}"
    assert len(sentence) >= 10 and " " in sentence, f"{sentence!r} is no sentence"
    details = Details(trailers)
    assert (details.status.code, details.status.message) == (code, sentence)
    assert (details.error_info.reason, details.error_info.domain) == (reason, "keystore")
    check_details(details, reason, sentence, trailers)
    return details


def check_rpc_error(error, code, reason):
    """check_error() for a grpc.RpcError."""
    return check_error(code.value[0], reason, got_code=error.code().value[0],
                       sentence=error.details(),
                       trailers={name: value for name, value in error.trailing_metadata() or ()})


def resolve(descriptor, path):
    """The field of that message type at a path such as `success[3].set.key`; fails if there is none
    or an index is where there must be none."""
    for name in path.split("."):
        assert descriptor is not None, f"{path}: nothing has a field {name}"
        name, _, index = name.partition("[")
        field = descriptor.fields_by_name.get(name)
        assert field is not None, f"{path}: {descriptor.name} has no field {name}"
        assert not index or field.label == field.LABEL_REPEATED, f"{path}: {name} is no list"
        descriptor = field.message_type
    return field
