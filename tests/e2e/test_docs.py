"""script/docs notices a stale reference and sources that contradict each other."""

import shutil
import subprocess

import pytest

from keystore_env import ROOT

PROTO, TABLE, OUTPUT = "proto/mini_redis.proto", "src/store/operations.def", "docs/operations.md"
HEADER = "include/keystore/client.h"


@pytest.fixture
def tree(tmp_path):
    """A copy of what the script reads and writes."""
    for path in ("script/docs", PROTO, TABLE, OUTPUT, HEADER):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


def run(tree, *arguments):
    return subprocess.run([tree / "script/docs", *arguments], capture_output=True, text=True,
                          timeout=60, check=False)


def change(tree, path, former, latter):
    text = (tree / path).read_text()
    assert text.count(former) == 1, former
    (tree / path).write_text(text.replace(former, latter))


def test_the_reference_is_current(tree):
    assert run(tree, "--check").returncode == 0


def test_a_stale_reference_is_noticed_and_made_anew(tree):
    change(tree, PROTO,
           "// Returns the string under the key; found = false if the key does not exist.",
           "// Another meaning.")
    stale = run(tree, "--check")
    assert stale.returncode == 1
    assert "docs/operations.md" in stale.stderr and "run script/docs" in stale.stderr
    assert "+Another meaning." in stale.stderr
    assert run(tree).returncode == 0
    assert "\nAnother meaning.\n" in (tree / OUTPUT).read_text()
    assert run(tree, "--check").returncode == 0


def test_a_missing_reference_is_noticed(tree):
    (tree / OUTPUT).unlink()
    assert run(tree, "--check").returncode == 1


def test_the_header_lists_the_calls_of_the_table(tree):
    change(tree, TABLE, "apply_get, get, none,", "apply_get, fetch, none,")
    stale = run(tree, "--check")
    assert stale.returncode == 1 and HEADER in stale.stderr
    assert run(tree).returncode == 0
    header = (tree / HEADER).read_text()
    assert "KEYSTORE_OP_FETCH = 3," in header and "keystore_fetch(struct" in header
    assert "keystore_get(struct" not in header


def test_the_access_comes_from_the_table(tree):
    change(tree, TABLE, "(GET, Get, key, value, READ,", "(GET, Get, key, value, WRITE,")
    assert run(tree, "--check").returncode == 1


@pytest.mark.parametrize("path,former,latter,words", [
    (PROTO, "// Redis: GETEX.", "// As GETEX.", 'GetEx needs a comment, with a line "Redis: ..."'),
    (TABLE, "(GET_EX, GetEx,", "(GET_EX, GetExpire,", "GetExpire is not a method"),
    (TABLE, "GetEx, expire_request, value", "GetEx, key, value", "the messages of GetEx differ"),
    (PROTO, "rpc SlowLog(SlowLogRequest)", "rpc SlowCalls(SlowLogRequest)", "SlowCalls is not in"),
    (PROTO, "// Redis: SLOWLOG", "// Not served yet. Redis: SLOWLOG", "SlowLog is in"),
    (TABLE, "(L_TRIM, LTrim,", "(LIST_TRIM, LTrim,", "the field l_trim of Op has no row"),
    (HEADER, "    /* ---- written by script/docs ---- */", "", "2 places must be marked"),
    (PROTO, "rpc LTrim(ListRange) returns (Status);", "rpc LTrim(ListRange);",
     "protoc does not understand"),
])
def test_sources_that_contradict_each_other(tree, path, former, latter, words):
    change(tree, path, former, latter)
    for arguments in ((), ("--check",)):
        found = run(tree, *arguments)
        assert found.returncode == 2 and words in found.stderr


def test_unknown_arguments(tree):
    assert run(tree, "--chek").returncode == 2
    assert "usage: script/docs" in run(tree, "--help").stdout
