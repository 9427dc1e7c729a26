"""The behaviour table that the clients of all languages share."""

import inspect
import json
import re
from pathlib import Path
from typing import Any, Dict, List

import pytest

import keystore
from keystore.calls import ACCESS, Access

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TABLES = (HERE / "behaviour.json", HERE.parents[1] / "behaviour.json")  # of the sdist; of a checkout
CASES = json.loads(next(path for path in TABLES if path.exists()).read_text("utf-8"))["cases"]


def as_bytes(value: Any) -> Any:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value


def argument(value: Any, saved: Dict[str, Any]) -> Any:
    if isinstance(value, dict) and "$hex" in value:
        return bytes.fromhex(value["$hex"])
    if isinstance(value, dict) and "$repeat" in value:
        return value["$repeat"] * value["times"]
    if isinstance(value, dict) and "$ref" in value:
        return saved[value["$ref"]]
    if isinstance(value, list):
        return [argument(each, saved) for each in value]
    return value


def check(expected: Any, actual: Any, saved: Dict[str, Any]) -> None:
    if isinstance(expected, dict) and "$save" in expected:
        saved[expected["$save"]] = actual
    elif isinstance(expected, dict) and not any(name.startswith("$") for name in expected):
        for name, value in expected.items():
            check(value, getattr(actual, name), saved)
    elif isinstance(expected, list):
        assert isinstance(actual, list) and len(actual) == len(expected)
        for one, other in zip(expected, actual):
            check(one, other, saved)
    else:
        expected = argument(expected, saved)
        assert as_bytes(actual) == as_bytes(expected)
        assert type(actual) is not bool or type(expected) is bool


def call(client: Any, step: Any, saved: Dict[str, Any]) -> Any:
    named = {name: argument(value, saved) for name, value in step["args"].items()}
    if "parts" in named:
        named["parts"] = [keystore.BitPart(**part) for part in named["parts"]]
    positional: List[Any] = []
    signature = inspect.signature(getattr(keystore.Client, step["call"]))
    if any(each.kind is each.VAR_POSITIONAL for each in signature.parameters.values()):
        for name, parameter in list(signature.parameters.items())[1:]:
            if parameter.kind is parameter.VAR_POSITIONAL:
                positional += named.pop(name)
                break
            positional.append(named.pop(name))
    return getattr(client, step["call"])(*positional, **named)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].replace(" ", "-"))
def test_case(client: Any, case: Any) -> None:
    saved: Dict[str, Any] = {}
    client.with_options(db=1).flush_db()
    for step in case["steps"]:
        if "error" in step:
            with pytest.raises(keystore.KeyStoreError) as caught:
                call(client, step, saved)
            assert caught.value.reason == step["error"], step
        else:
            result = call(client, step, saved)
            if "result" in step:
                check(step["result"], result, saved)


@pytest.mark.skipif(not (ROOT / "src/store/operations.def").exists(), reason="not in a checkout")
def test_every_operation_is_a_method_and_in_the_table() -> None:
    text = (ROOT / "src/store/operations.def").read_text("utf-8")
    rows = re.findall(
        r"^OPERATION(?:_ALONE)?\(\w+, (\w+), \w+, \w+, (\w+), \w+, \w+, \w+,\s+(\w+),", text, re.M
    )
    assert len(rows) >= 41
    called = {step["call"] for case in CASES for step in case["steps"]}
    for rpc, access, name in rows:
        assert callable(getattr(keystore.Client, name)), name
        assert callable(getattr(keystore.AsyncClient, name)), name
        assert (ACCESS[rpc] is Access.READ) == (access == "READ"), rpc
        if name not in ("txn", "swap_db"):  # these have tests of their own
            assert name in called, f"behaviour.json has no case for {name}"


def test_both_variants_have_the_same_methods() -> None:
    def methods(cls: Any) -> Dict[str, List[str]]:
        return {
            name: list(inspect.signature(value).parameters)
            for name, value in inspect.getmembers(cls, callable)
            if not name.startswith("_")
        }

    assert methods(keystore.Client) == methods(keystore.AsyncClient)
