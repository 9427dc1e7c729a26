"""Participants in a comparison of CPU time per call."""
import statistics

from harness.process import say

CALIBRATION_CPU_S = 0.2


class Contender:
    """A server under one load: `get(calls)` runs it and returns calls/s and Usage."""

    def __init__(self, name, shape, server, get):
        self.name = name
        self.shape = shape
        self.server = server
        self.get = get
        self.calls = 0
        self.throughputs = []
        self.usages = []

    def calibrate(self, cpu_s):
        """Warms up, and determines how many calls take that much of the server's CPU time."""
        calls = 2000
        while (used_s := self.get(calls)[1].server_cpu_s) < CALIBRATION_CPU_S:
            calls *= 2 if used_s * 4 > CALIBRATION_CPU_S else 4
        self.calls = max(1000, round(calls * cpu_s / used_s / 1000) * 1000)

    def measure(self):
        throughput, usage = self.get(self.calls)
        self.throughputs.append(throughput)
        self.usages.append(usage)

    def cpu_us(self):
        """CPU time per call in each round."""
        return [usage.server_cpu_s * 1e6 / self.calls for usage in self.usages]

    def cpu_us_median(self):
        return statistics.median(self.cpu_us())


def measure_in_turn(contenders, rounds):
    """Measures each once per round, in an order that rotates by one in each round."""
    for i in range(rounds):
        say(f"round {i + 1} of {rounds}")
        first = i % len(contenders)
        for contender in contenders[first:] + contenders[:first]:
            contender.measure()
