"""The server on this machine, asked at its webhook's door: does it run, and with this secret. Stores nothing there."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Literal, NamedTuple

import httpx

from dashboard.program import PROGRAM
from dashboard.settings import Settings
from dashboard.web.hooks import ALL_IS_RIGHT
from dashboard.web.parts import WEBHOOK_PATH

SERVE_COMMAND = f"{PROGRAM} serve"

State = Literal["ready", "outdated", "away", "silent", "stranger", "unknown"]

_ANSWER_SECONDS = 2.0


class Seen(NamedTuple):
    """How the server stands; and, if it knows our secret, when (microseconds, 0 for never) and why it last refused."""

    state: State
    refused_at: int = 0
    refusal: str = ""


class RunningServer:
    """A context: the connection stays open between two looks."""

    def __init__(self, settings: Settings) -> None:
        self._secret = settings.webhook_secrets[0]
        self.place = _place(settings)
        # The environment's proxies are passed over: they cannot reach this machine's loopback.
        transport = httpx.HTTPTransport(uds=self.place.removeprefix("unix:")) if self.place[:5] == "unix:" else None
        self._client = httpx.Client(transport=transport, timeout=_ANSWER_SECONDS, trust_env=False)

    def __enter__(self) -> RunningServer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def look(self) -> Seen:
        if not self.place:
            return Seen("unknown")
        host = "localhost" if self.place.startswith("unix:") else self.place
        try:
            answer = self._client.get(
                f"http://{host}{WEBHOOK_PATH}", headers={b"Authorization": f"Bearer {self._secret}".encode()}
            )
        except httpx.ConnectError:
            return Seen("away")
        except httpx.TimeoutException:
            return Seen("silent")
        except httpx.HTTPError:
            return Seen("stranger")
        except httpx.InvalidURL:
            return Seen("unknown")  # `serve` says what is wrong with that address
        return _seen(answer)

    def in_words(self, seen: Seen, *, is_outdated: bool = False) -> str:
        """A sentence and what to do. `is_outdated`: settings were made after whatever runs was started."""
        match "outdated" if is_outdated and seen.state == "ready" else seen.state:
            case "ready":
                return f"The server at {self.place} runs, and knows this secret."
            case "outdated":
                return (
                    f"The server at {self.place} was started with older settings. Stop it (Ctrl-C where it runs), and "
                    f"start it again:\n\n{SERVE_COMMAND}"
                )
            case "away":
                return f"No server runs at {self.place} yet. Start it in another terminal:\n\n{SERVE_COMMAND}"
            case "silent":
                return f"The server at {self.place} takes connections and does not answer. See what its log says."
            case "stranger":
                return (
                    f"What answers at {self.place} is no Callboard. Stop it, or set DASHBOARD_BIND to another port; "
                    f"then start the server:\n\n{SERVE_COMMAND}"
                )
        return f"Start the server, and if it runs already, start it again:\n\n{SERVE_COMMAND}"


def _place(settings: Settings) -> str:
    """Where a server with these settings listens, as this machine reaches it; "" where that cannot be told."""
    if settings.bind.startswith("fd:"):
        return settings.webhook_bind
    if settings.bind.startswith("unix:"):
        return settings.bind
    host, _, port = settings.bind.rpartition(":")
    return f"{ {'': '127.0.0.1', '0.0.0.0': '127.0.0.1', '[::]': '[::1]'}.get(host, host) }:{port}"  # noqa: S104


def _seen(answer: httpx.Response) -> Seen:
    try:
        words: Any = answer.json()
    except ValueError:
        words = None
    if answer.status_code != 405 or not isinstance(words, dict) or "message" not in words:
        return Seen("stranger")
    if words["message"] != ALL_IS_RIGHT:
        return Seen("outdated")
    last = words.get("last_refusal") or {}
    return Seen("ready", last.get("at", 0), last.get("problem", ""))
