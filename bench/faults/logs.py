"""What must never stand in a log: the secret, a password, a customer's number or name. Searched last, in all."""

from __future__ import annotations

from pathlib import Path

import httpx

from bench.faults.client import ADMIN_PASSWORD, NAME, NUMBER, SECRET, canary_report, guarded, new_board, request_of
from bench.faults.slow import answer_to
from bench.faults.table import Run
from tests.reports import WEBHOOK
from tests.running import NO_TLS

CANARIES = {"secret": SECRET, "password": ADMIN_PASSWORD, "number": NUMBER, "name": NAME}


def measure(run: Run) -> None:
    provoked = _provoke(run)
    logs = sorted(run.folder.rglob("serve*.log"))
    told = {what: sum(_tells(log, canary) for log in logs) for what, canary in CANARIES.items()}
    size = sum(log.stat().st_size for log in logs)
    figure = ", ".join(f"{count} × {what}" for what, count in told.items())
    what = f"secret, password, number and name in the logs of {len(logs)} servers ({size / 1000:,.0f} kB)"
    run.row(what, figure, "in none", provoked in logs and bool(provoked.stat().st_size) and not any(told.values()))


def _tells(log: Path, canary: str) -> bool:
    return canary.encode() in log.read_bytes()


def _provoke(run: Run) -> Path:
    """The log of a server that is given every reason to quote what it was sent."""
    board = new_board(run.place("logs"))
    board.environment |= guarded(board.port)
    board.start()
    try:
        with httpx.Client(base_url=board.url, timeout=10, verify=NO_TLS, trust_env=False) as client:
            body = canary_report("logs")
            for token in (SECRET, SECRET + "x", ""):
                for content in (body, body[:-3], b"\xff" + body, body.replace(b"call_ended", NAME.encode())):
                    client.post(WEBHOOK, params={"token": token}, content=content)
            client.get(WEBHOOK, params={"token": SECRET})
            taken = client.post(WEBHOOK, headers={"Authorization": f"Bearer {SECRET}"}, content=body)
            assert taken.status_code == 200, f"the server was not provoked: it answered {taken.status_code}"
            for password in (ADMIN_PASSWORD, ADMIN_PASSWORD + "x"):
                client.post("/sign-in", data={"name": NAME, "password": password})
            client.get(f"/calls/{NUMBER}", params={"token": SECRET})
        for damaged in (request_of(body).replace(b"HTTP/1.1", b"HTTP/9"), request_of(body).replace(b"Host", b"H\x00")):
            answer_to(board.port, damaged)
    finally:
        board.end()
    return board.log
