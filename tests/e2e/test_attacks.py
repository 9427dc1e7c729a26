"""The attacks of attacks.py, once each, over plaintext and TLS at the same time: the attacker is
disconnected or refused, memory stays bounded, and the calls of an innocent client all succeed.
script/attack runs them for longer, and looks at how long those calls take."""

import pytest

from attack_ground import Ground, run
from attacks import ATTACKS


@pytest.fixture(scope="module", name="grounds")
def grounds_fixture(tmp_path_factory):
    """By whether they are guarded."""
    opened = {}

    def ground(guarded):
        if guarded not in opened:
            opened[guarded] = Ground(tmp_path_factory.mktemp("ground"), guarded=guarded)
        return opened[guarded]

    yield ground
    for each in opened.values():
        each.close()


@pytest.mark.parametrize("attack", ATTACKS, ids=[each.name for each in ATTACKS])
def test_attack(grounds, counts, attack):
    verdict = run(grounds(attack.guarded), attack)
    counts(f"{verdict.calls} innocent calls")
