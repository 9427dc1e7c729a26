"""Strict parsers of Prometheus' text format 0.0.4 and of OpenMetrics 1.0, and asking by HTTP."""

import math
import re
import urllib.error
import urllib.request
from dataclasses import dataclass, field

OPEN = "application/openmetrics-text; version=1.0.0"
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
NUMBER = re.compile(r"[+-]?(\d+(\.\d+)?(e[+-]\d\d+)?|Inf)|NaN")
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


@dataclass
class Family:
    help: str
    type: str = ""
    unit: str = ""
    samples: dict = field(default_factory=dict)  # (name, labels in their order) -> value


def parse_labels(text):
    labels, at = [], 0
    while at < len(text or ""):
        match = LABEL.match(text, at)
        assert match, f"bad labels: {text!r}"
        value = re.sub(r"\\(.)", lambda each: {"n": "\n"}.get(each[1], each[1]), match[2])
        labels.append((match[1], value))
        at = match.end()
        assert match[3] == "" or at < len(text), f"a comma at the end: {text!r}"
    names = [name for name, _ in labels]
    assert len(set(names)) == len(names), f"a label twice: {text!r}"
    return tuple(labels)


def parse_number(text):
    assert NUMBER.fullmatch(text), f"no number: {text!r}"
    return float(text)


def parse(text, is_open=False):
    """name -> Family, by the name in its TYPE line. Asserts all that the formats demand."""
    families, current = {}, None
    lines = text.split("\n")
    assert lines.pop() == "", "the last line must end in a newline"
    if is_open:
        assert lines.pop() == "# EOF"
    for line in lines:
        comment = re.fullmatch(rf"# (HELP|TYPE|UNIT) ({NAME}) (.+)", line)
        if comment and comment[1] == "HELP":
            assert comment[2] not in families, f"the family {comment[2]} comes twice"
            current = comment[2]
            families[current] = Family(comment[3])
        elif comment:
            assert comment[2] == current and not families[current].samples, line
            assert comment[1] == "TYPE" or is_open, line
            setattr(families[current], comment[1].lower(), comment[3])
        else:
            add_sample(families[current], current, line, is_open)
    for name, family in families.items():
        check_family(name, family, is_open)
    return families


def add_sample(family, family_name, line, is_open):
    match = SAMPLE.fullmatch(line)
    assert match, f"no sample: {line!r}"
    base = family_name
    if family.type == "counter" and not is_open:
        assert family_name.endswith("_total"), family_name
        base = family_name[:-len("_total")]
    assert match[1] in [base + suffix for suffix in SUFFIXES[family.type]], line
    key = match[1], parse_labels(match[2])
    assert key not in family.samples, f"twice: {line}"
    family.samples[key] = parse_number(match[3])


def check_family(name, family, is_open):
    assert family.help.endswith(".") and family.type in SUFFIXES, name
    unit = re.search(r"_(seconds|bytes)(_total)?$", name)
    if is_open:
        assert family.unit == (unit[1] if unit else ""), name
    for value in family.samples.values():
        assert family.type == "gauge" or value >= 0, name
    if family.type == "histogram":
        check_histogram(name, family)


def check_histogram(name, family):
    series = {}
    for (sample, labels), value in family.samples.items():
        rest = tuple(label for label in labels if label[0] != "le")
        parts = series.setdefault(rest, {"buckets": []})
        if sample.endswith("_bucket"):
            assert labels[-1][0] == "le"
            parts["buckets"].append((parse_number(labels[-1][1]), value))
        else:
            parts[sample[len(name):]] = value
    for parts in series.values():
        bounds = [bound for bound, _ in parts["buckets"]]
        counts = [count for _, count in parts["buckets"]]
        assert bounds == sorted(set(bounds)) and bounds[-1] == math.inf, name
        assert counts == sorted(counts) and counts[-1] == parts["_count"], name
        assert (parts["_sum"] > 0) == (parts["_count"] > 0), name


def values(families):
    """`name{label="value",...}` -> value, for all samples."""
    return {name + ("{" + ",".join(f'{key}="{value}"' for key, value in labels) + "}" if labels else ""): value
            for family in families.values() for (name, labels), value in family.samples.items()}


class Monitor:
    """The HTTP server for monitoring of a server that was started with --metrics-listen."""

    def __init__(self, server):
        self.port = int(server.wait_for_line(r"Metrics on port (\d+)$").group(1))

    def ask(self, path, method="GET", **headers):
        """(status, headers, body)"""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method,
                                         headers={key: str(value) for key, value in headers.items()})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.headers, answer.read().decode()

    def families(self, is_open=False):
        status, headers, body = self.ask("/metrics", **({"Accept": OPEN} if is_open else {}))
        assert status == 200
        assert headers["Content-Type"].startswith(OPEN if is_open else "text/plain; version=0.0.4")
        return parse(body, is_open)

    def values(self):
        return values(self.families())
