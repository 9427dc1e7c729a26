"""Users who are known by the certificate that they show."""

import grpc
import pytest

import mini_redis_pb2 as pb
from certs import Certs
from clients import Stub
from errors import check_fails
from users import As, UsersFile, reload_users

FORBIDDEN = (grpc.StatusCode.PERMISSION_DENIED, "ERROR_REASON_FORBIDDEN")
UNAUTHENTICATED = (grpc.StatusCode.UNAUTHENTICATED, "ERROR_REASON_UNAUTHENTICATED")


@pytest.fixture(name="certs", scope="module")
def certs_fixture(tmp_path_factory):
    return Certs(tmp_path_factory.mktemp("users-certs"))


def start(certs, fresh_server, users):
    return fresh_server(*certs.server_options(
        "--tls-client-ca", certs.path("ca.pem"), "--tls-client-certs", "optional",
        "--users-file", users.path), listen=())


@pytest.mark.parametrize("sign", ["dns:developer", "subject:CN=developer"])
def test_a_certificate_is_a_user(certs, fresh_server, tmp_path, sign):
    users = UsersFile(tmp_path, {})
    users.write({"app": ["all keys=app:*"]},
                f"[user dev]\nallow = read keys=dev:*\ncertificate = {sign}\n")
    server = start(certs, fresh_server, users)
    with certs.channel(server.address, "client") as channel, certs.channel(server.address) as other:
        stub = Stub(channel)
        for _ in range(3):  # the same header block, again
            assert not stub.Get(pb.Key(key=b"dev:1")).found
        check_fails(FORBIDDEN, stub.Get, pb.Key(key=b"app:1"))
        check_fails(FORBIDDEN, stub.Set, pb.KeyValue(key=b"dev:1", value=b"v"))
        # A token that is sent counts for more.
        assert As(channel, "app").Set(pb.KeyValue(key=b"app:1", value=b"v")).ok
        # Nobody has shown one.
        check_fails(UNAUTHENTICATED, Stub(other).Get, pb.Key(key=b"dev:1"))


def test_a_name_that_is_taken_away(certs, fresh_server, tmp_path):
    dev = "[user dev]\nallow = all keys=dev:*\ncertificate = dns:{}\n"
    users = UsersFile(tmp_path, {})
    users.write({}, dev.format("developer"))
    server = start(certs, fresh_server, users)
    with certs.channel(server.address, "client") as channel:
        stub = Stub(channel)
        assert stub.Set(pb.KeyValue(key=b"dev:1", value=b"v")).ok
        events = stub.Watch(pb.WatchRequest(selectors=[pb.WatchRequest.Selector(prefix=b"dev:")]))
        waiting = stub.ListPop.future(pb.PopRequest(keys=[b"dev:list"], wait_ms=60_000))
        assert stub.Get(pb.Key(key=b"dev:1")).found
        users.write({}, dev.format("developer.example"))
        reload_users(server)
        check_fails(UNAUTHENTICATED, stub.Get, pb.Key(key=b"dev:1"))
        for ended in (lambda: list(events), waiting.result):
            with pytest.raises(grpc.RpcError) as error:
                ended()
            assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
