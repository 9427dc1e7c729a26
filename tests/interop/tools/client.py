"""Tools that people use with gRPC servers: grpcurl, ghz and grpc-health-probe. They know the server's
address and nothing else: what there is to call they learn from the server (reflection). What they
print is checked, as far as it comes from the server.

usage: client.py ADDRESS PROTO; see script/interop. The tools are in the folder bin beside this file.
"""

import base64
import json
import re
import subprocess
import sys
from pathlib import Path

import checks

BIN = Path(__file__).parent / "bin"
TIMEOUT_S = 60
ADDRESS, PROTO = sys.argv[1:]
KEY_STORE, HEALTH = "keystore.v1.KeyStore", "grpc.health.v1.Health"
SERVICES = ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection", "keystore.v1.KeyStore",
            "keystore.v1.KeyStoreAdmin", "keystore.v1.KeyStoreAuth"]
WRONG_TYPE = "the key holds a string; this operation needs a list (or no such key)"


def declared_methods(service):
    body = re.search(rf"^service {service} {{(.*?)^}}", Path(PROTO).read_text(encoding="utf-8"),
                     re.DOTALL | re.MULTILINE).group(1)
    return re.findall(r"^  rpc (\w+)\(", body, re.MULTILINE)


def in_base64(text):
    """As JSON has the bytes of a message."""
    return base64.b64encode(text.encode()).decode()


def same(found, expected):
    assert found == expected, f"{found!r}, not {expected!r}"


class Ended:
    """A program that has run: its exit code and what it printed."""

    def __init__(self, tool, *arguments, stdin=""):
        ran = subprocess.run([BIN / tool, *arguments], input=stdin, capture_output=True, text=True,
                             timeout=TIMEOUT_S, check=False)
        self.code, self.out, self.error = ran.returncode, ran.stdout, ran.stderr

    def succeeded(self):
        assert self.code == 0, f"exit code {self.code}: {self.out} {self.error}"
        return self.out


def documents(text):
    """JSON documents, one after the other."""
    found, decoder = [], json.JSONDecoder()
    while text := text.lstrip():
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:]
    return found


def as_input(messages):
    return "\n".join(map(json.dumps, messages))


# ---- grpcurl ----

def grpcurl(*arguments, **options):
    return Ended("grpcurl", "-plaintext", *arguments, **options)


def call(method, *messages, service=KEY_STORE, options=()):
    return grpcurl(*options, "-d", "@", ADDRESS, f"{service}/{method}", stdin=as_input(messages))


def replies(method, *messages, **options):
    return documents(call(method, *messages, **options).succeeded())


def put(key, value):
    [reply] = replies("Set", {"key": in_base64(key), "value": in_base64(value)})
    assert reply["ok"] is True and int(reply["version"]) > 0, reply


def grpcurl_lists():
    same(grpcurl(ADDRESS, "list").succeeded().split(), SERVICES)
    for service in ("KeyStore", "KeyStoreAdmin", "KeyStoreAuth"):
        same(grpcurl(ADDRESS, "list", f"keystore.v1.{service}").succeeded().split(),
             sorted(f"keystore.v1.{service}.{name}" for name in declared_methods(service)))


def grpcurl_describes():
    same(grpcurl(ADDRESS, "describe", f"{KEY_STORE}.Pipeline").succeeded().splitlines()[1:],
         ["rpc Pipeline ( stream .keystore.v1.OpBatch ) returns ( stream .keystore.v1.ReplyBatch );"])
    lines = grpcurl(ADDRESS, "describe", ".keystore.v1.Key").succeeded().splitlines()
    same([line.strip() for line in lines[1:]],
         ["message Key {", "bytes key = 1;", ".keystore.v1.Condition condition = 2;",
          "bool want_as_of = 3;", "uint32 db = 15;", "}"])
    everything = grpcurl(ADDRESS, "describe").succeeded()
    for service in ("KeyStore", "KeyStoreAdmin", "KeyStoreAuth"):
        for name in declared_methods(service):
            assert f"rpc {name} (" in everything, f"{name} is missing"
    template = grpcurl("-msg-template", ADDRESS, "describe", ".keystore.v1.Increment").succeeded()
    same(json.loads(template[template.index("{", template.index("template")):]),
         {"key": "", "ttlMs": "0", "db": 0})


def grpcurl_calls():
    put("grpcurl", "value")
    [reply] = replies("Get", {"key": in_base64("grpcurl")})
    same((reply["found"], reply["value"]), (True, in_base64("value")))
    [reply] = replies("Delete", {"key": in_base64("grpcurl")})
    same((reply["ok"], reply["count"]), (True, "1"))
    same(replies("Get", {"key": in_base64("grpcurl")}), [{}])
    [reply] = replies("Info", {"sections": ["server"]}, service="keystore.v1.KeyStoreAdmin")
    assert int(reply["fields"]["process_id"]) > 0, reply


def grpcurl_reads_a_stream():
    """Of several pages."""
    names = [f"grpcurl scan {number:03}" for number in range(100)]
    replies("MSet", {"entries": [{"key": in_base64(name), "value": in_base64("v" * 1000)}
                                 for name in names]})
    pages = replies("Scan", {"pattern": in_base64("grpcurl scan *"), "withValues": True,
                             "pageBytes": 10000})
    assert len(pages) > 1, "one page"
    entries = [entry for page in pages for entry in page.get("entries", [])]
    same(sorted(entry["key"] for entry in entries), sorted(map(in_base64, names)))
    same({entry["value"]["value"] for entry in entries}, {in_base64("v" * 1000)})


def grpcurl_streams_both_ways():
    key = in_base64("grpcurl pipeline")
    found = replies(
        "Pipeline",
        {"ops": [{"id": "1", "set": {"key": key, "value": in_base64("4")}},
                 {"id": "2", "incr": {"key": key, "by": "38"}}]},
        {"ops": [{"id": "3", "get": {"key": key}}, {"id": "4", "lPop": {"key": key}}]})
    answers = [reply for batch in found for reply in batch["replies"]]
    same([answer["id"] for answer in answers], ["1", "2", "3", "4"])
    same((answers[0]["status"]["ok"], answers[1]["number"]["integer"],
          answers[2]["value"]["value"]), (True, "42", in_base64("42")))
    same((answers[3]["error"]["reason"], answers[3]["error"]["message"]),
         ("ERROR_REASON_WRONG_TYPE", WRONG_TYPE))


def check_status(status, code, message, *details):
    """A google.rpc.Status as JSON; details are (name of the type, some of its fields)."""
    same(status["code"], code)
    assert message in status["message"], f"{message!r} is not in {status['message']!r}"
    same([detail["@type"] for detail in status["details"]],
         [f"type.googleapis.com/google.rpc.{name}" for name, _ in details])
    for shown, (_, fields) in zip(status["details"], details):
        same({name: shown.get(name) for name in fields}, fields)


def reason(name):
    return "ErrorInfo", {"reason": f"ERROR_REASON_{name}", "domain": "keystore"}


def failure(method, message):
    """The exit code, which is 64 and the status, and the status."""
    ended = call(method, message, options=["-format-error"])
    return ended.code, json.loads(ended.error)


def grpcurl_shows_errors():
    put("grpcurl error", "text")
    code, status = failure("LPop", {"key": in_base64("grpcurl error")})
    same(code, 64 + 9)
    check_status(status, 9, WRONG_TYPE, reason("WRONG_TYPE"),
                 ("ResourceInfo", {"resourceType": "string", "resourceName": "grpcurl error"}))
    code, status = failure("Txn", {"success": [{"get": {"key": in_base64("a")}},
                                               {"set": {"value": in_base64("no key")}}]})
    same(code, 64 + 3)
    check_status(status, 3, "success[1].set.key: the key is empty", reason("BAD_ARGUMENT"),
                 ("BadRequest", {}))
    same(status["details"][1]["fieldViolations"][0]["field"], "success[1].set.key")
    code, status = failure("Get", {"key": in_base64("k" * 65537)})
    same(code, 64 + 8)
    check_status(status, 8, "key", reason("TOO_LARGE"), ("BadRequest", {}), ("QuotaFailure", {}))
    same(status["details"][2]["violations"][0]["subject"], "key")
    text = call("LPop", {"key": in_base64("grpcurl error")}).error
    for line in ("Code: FailedPrecondition", f"Message: {WRONG_TYPE}",
                 '"reason": "ERROR_REASON_WRONG_TYPE"'):
        assert line in text, f"{line!r} is not in {text!r}"


def grpcurl_shows_trailers():
    shown = call("LPop", {"key": in_base64("grpcurl error")}, options=["-v"])
    for line in ("keystore-reason: ERROR_REASON_WRONG_TYPE", "content-type: application/grpc"):
        assert line in shown.out, f"{line!r} is not in {shown.out!r}"


def grpcurl_sends_metadata():
    """A write with a request id is done once."""
    increment = {"key": in_base64("grpcurl id")}
    for _ in range(2):
        [reply] = replies("Incr", increment, options=["-H", "keystore-request-id: grpcurl"])
        same(reply["integer"], "1")


def grpcurl_has_deadlines():
    code = call("ListPop", {"keys": [in_base64("nothing")], "waitMs": "-1"},
                options=["-max-time", "0.3"]).code
    same(code, 64 + 4)


def grpcurl_asks_for_health():
    same(replies("Check", {"service": "keystore.write"}, service=HEALTH), [{"status": "SERVING"}])
    [listed] = replies("List", {}, service=HEALTH)
    same(set(listed["statuses"]), {"", "keystore.live", "keystore.write", *SERVICES})
    same({each["status"] for each in listed["statuses"].values()}, {"SERVING"})
    ended = call("Check", {"service": "none"}, service=HEALTH)
    same(ended.code, 64 + 5)


def grpcurl_shows_text():
    """With --reflection text, what bytes hold."""
    checks.server("restart --reflection text")
    described = grpcurl(ADDRESS, "describe", ".keystore.v1.Key").succeeded()
    assert "string key = 1;" in described, described
    [reply] = replies("Set", {"key": "greeting", "value": "hello, w\u00f6rld"})
    assert reply["ok"], reply
    [reply] = replies("Get", {"key": "greeting"})
    same(reply["value"], "hello, w\u00f6rld")
    replies("RPush", {"key": "names", "values": ["a", "b"]})
    [reply] = replies("StreamList", {"key": "names", "stop": -1})
    same(reply["values"], ["a", "b"])
    found = replies("Scan", {"pattern": "g*", "withValues": True})
    same([entry["key"] for page in found for entry in page.get("entries", [])], ["greeting"])
    checks.server("restart")


# ---- ghz ----

def ghz(method, message, *options):
    """What it has measured."""
    shown = Ended("ghz", "--insecure", "--call", f"{KEY_STORE}.{method}", "-d", json.dumps(message),
                  "-O", "json", *options, ADDRESS).succeeded()
    return json.loads(shown)


def ghz_counts():
    """As many calls as it says, over several connections."""
    report = ghz("Incr", {"key": in_base64("ghz n")}, "-n", "2000", "-c", "20",
                 "--connections", "4")
    same((report["count"], report["statusCodeDistribution"]), (2000, {"OK": 2000}))
    same(report["errorDistribution"], {})
    [reply] = replies("Get", {"key": in_base64("ghz n")})
    same(reply["value"], in_base64("2000"))


def ghz_shows_errors():
    put("ghz text", "text")
    report = ghz("LPop", {"key": in_base64("ghz text")}, "-n", "100", "-c", "5")
    same(report["statusCodeDistribution"], {"FailedPrecondition": 100})
    same(report["errorDistribution"],
         {f"rpc error: code = FailedPrecondition desc = {WRONG_TYPE}": 100})


def ghz_streams():
    put("ghz scan", "v")
    report = ghz("Scan", {"pattern": in_base64("ghz scan")}, "-n", "100", "-c", "5")
    same(report["statusCodeDistribution"], {"OK": 100})
    increment = {"ops": [{"incr": {"key": in_base64("ghz pipeline")}}]}
    report = ghz("Pipeline", [increment] * 3, "-n", "100", "-c", "5")
    same(report["statusCodeDistribution"], {"OK": 100})
    [reply] = replies("Get", {"key": in_base64("ghz pipeline")})
    same(reply["value"], in_base64("300"))


# ---- grpc-health-probe ----

def probe(*options):
    return Ended("grpc-health-probe", f"-addr={ADDRESS}", *options)


def probe_of_a_server_that_serves():
    for service in ("", KEY_STORE, "keystore.live", "keystore.write"):
        ended = probe(f"-service={service}")
        assert ended.code == 0 and "status: SERVING" in ended.error + ended.out, ended.error
    ended = probe("-service=none")
    same(ended.code, 3)
    assert "NotFound" in ended.error, ended.error


def probe_of_a_server_that_stops():
    """It says so for as long as --drain-delay, and still serves."""
    checks.server("restart --drain-delay 60")
    checks.server("terminate")
    ended = probe()
    same(ended.code, 4)
    assert "NOT_SERVING" in ended.error, ended.error
    same(probe("-service=keystore.live").code, 0)
    put("drain", "served")
    checks.server("restart")


checks.run({
    "grpcurl lists": grpcurl_lists,
    "grpcurl describes": grpcurl_describes,
    "grpcurl calls": grpcurl_calls,
    "grpcurl reads a stream": grpcurl_reads_a_stream,
    "grpcurl streams both ways": grpcurl_streams_both_ways,
    "grpcurl shows errors": grpcurl_shows_errors,
    "grpcurl shows trailers": grpcurl_shows_trailers,
    "grpcurl sends metadata": grpcurl_sends_metadata,
    "grpcurl has deadlines": grpcurl_has_deadlines,
    "grpcurl asks for health": grpcurl_asks_for_health,
    "grpcurl shows text": grpcurl_shows_text,
    "ghz counts": ghz_counts,
    "ghz shows errors": ghz_shows_errors,
    "ghz streams": ghz_streams,
    "grpc-health-probe of a server that serves": probe_of_a_server_that_serves,
    "grpc-health-probe of a server that stops": probe_of_a_server_that_stops,
})
