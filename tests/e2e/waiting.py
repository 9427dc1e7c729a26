"""How tests know that calls wait for a list: Info says so."""

import mini_redis_pb2 as pb
from clients import admin_stub
from times import wait_until


def blocked_clients(channel):
    return int(admin_stub(channel).Info(pb.InfoRequest(sections=["clients"])).fields["blocked_clients"])


def wait_until_blocked(channel, count):
    wait_until(lambda: blocked_clients(channel) == count)
