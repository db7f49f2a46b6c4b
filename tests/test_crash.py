"""kill -9 under load: the ledger of the clients beside what plain SQL finds. `bench/crash.py` does it at length."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.crash import Ledger, crash, rebuild, recover
from tests.running import RunningBoard


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_every_acknowledged_call_survives_kill_9_exactly_once(
    kind: str, start_board: Callable[..., RunningBoard], request: pytest.FixtureRequest
) -> None:
    environment = {"DASHBOARD_DATABASE_URL": request.getfixturevalue("postgres_url")} if kind == "postgres" else {}
    board, ledger = start_board(**environment), Ledger()
    for number in range(2):
        if number:
            recover(board, ledger)
            # What was not answered was sent again, and is there once as well.
            assert ledger.unanswered == set()
        found = crash(board, ledger, f"round {number}", at_least=30)
        assert (found.lost, found.doubled, found.is_sound) == (0, 0, True)
        assert found.stored <= found.acknowledged + len(ledger.unanswered)
    assert ledger.refused == []
    assert "; 0 rows were not" in rebuild(board)
