"""Reads what an error carries: google.rpc.Status with google.rpc.ErrorInfo, and its reason.

The messages are described here, for Debian has no package with the compiled googleapis.
"""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ERROR_INFO_URL = "type.googleapis.com/google.rpc.ErrorInfo"
TYPES = descriptor_pb2.FieldDescriptorProto


def _messages():
    file = descriptor_pb2.FileDescriptorProto(name="rpc_status.proto", syntax="proto3")
    layout = {
        "Any": [("type_url", TYPES.TYPE_STRING), ("value", TYPES.TYPE_BYTES)],
        "Status": [("code", TYPES.TYPE_INT32), ("message", TYPES.TYPE_STRING), ("details", "Any")],
        "ErrorInfo": [("reason", TYPES.TYPE_STRING), ("domain", TYPES.TYPE_STRING)],
    }
    for name, fields in layout.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields, 1):
            if kind == "Any":
                message.field.add(name=field, number=number, type=TYPES.TYPE_MESSAGE,
                                  type_name=".Any", label=TYPES.LABEL_REPEATED)
            else:
                message.field.add(name=field, number=number, type=kind,
                                  label=TYPES.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    return {name: factory.GetPrototype(pool.FindMessageTypeByName(name)) for name in layout}


MESSAGES = _messages()


def check_error(code, reason, *, got_code, sentence, trailers):
    """Asserts that an error is the stated one and is complete. Code and trailers are plain: a
    number, and a dict whose -bin values are bytes."""
    assert got_code == code, f"status {got_code} ({sentence}), not {code}"
    assert trailers.get("keystore-reason") == reason, f"trailers: {trailers}"
    assert len(sentence) >= 10 and " " in sentence, f"{sentence!r} is no sentence"
    status = MESSAGES["Status"].FromString(trailers["grpc-status-details-bin"])
    assert (status.code, status.message) == (code, sentence)
    assert [detail.type_url for detail in status.details] == [ERROR_INFO_URL]
    info = MESSAGES["ErrorInfo"].FromString(status.details[0].value)
    assert (info.reason, info.domain) == (reason, "keystore")


def check_rpc_error(error, code, reason):
    """check_error() for a grpc.RpcError."""
    check_error(code.value[0], reason, got_code=error.code().value[0], sentence=error.details(),
                trailers={name: value for name, value in error.trailing_metadata() or ()})
