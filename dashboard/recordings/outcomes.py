"""What becomes of a recording after each answer of its host: one table, and when its cause is gone. Pure.

| what happened | then | why |
|---|---|---|
| 200 and sound that can be decoded | kept | in any codec: the recording cannot be made again |
| 200 and sound, broken off before its end | kept and tried again | the beginning can be heard meanwhile |
| 200 with a page, JSON, text, nothing, no sound; 202 and other 2xx | later | platforms answer so until it is ready |
| 404 | later | the platform announces recordings before they are there |
| 403 | later, and with another credential | S3 answers so for what is not there yet |
| 401, 407 | stopped until the credential in the settings changes | the same request gets the same answer |
| 408, 425, 429, 5xx, any other status | later, not before `Retry-After` | it passes |
| 410 | final | the host says so |
| no connection, no such name, TLS refused, silence, too many redirects | later | it passes |
| an address inside a network, another port | stopped until DASHBOARD_RECORDING_HOSTS names it | a setting decides |
| larger than the limit | stopped until DASHBOARD_RECORDING_MAX_MIB allows it | a setting decides |
| no room on the disk, or it cannot be written | later, the attempt does not count | nothing was learned of it |
| no http or https address | final | a later report can bring another one |

"Later" ends after nine attempts in two days. Whatever was given up is fetched again when a later report names it, when
an admin asks for it, and, where a setting decides, when that setting has changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from dashboard.credentials import Credential, credential_for
from dashboard.links import Url
from dashboard.outside.addresses import is_listed

MIB = 1024**2
HOSTS, AUTH, SIZE = "hosts", "auth", "size"
"""Causes that a setting decides; a blank and the host, origin or number of bytes follow."""
CUT = "cut"
"""The cause of a file that is kept without its end; a blank and what stops the rest follow, where a setting does."""
NOT_READY, HOST, NETWORK, DISK, GONE, ADDRESS = "not ready", "host", "network", "disk", "gone", "address"
_NOT_LET_IN = (401, 407)


@dataclass(frozen=True)
class Access:
    """What the settings let the board fetch."""

    hosts: tuple[str, ...] = ()
    """exact host:port pairs that need not be public"""
    credentials: tuple[Credential, ...] = ()
    max_bytes: int = 100 * MIB


@dataclass(frozen=True)
class Fetched:
    """`name` in the keep, `size` in bytes, `type` and `codec` as decoding found them (audio/mpeg, mp3).

    `cut_off` says, where the end is missing, why; else "".
    """

    name: str
    size: int
    type: str
    codec: str
    cut_off: str = ""


@dataclass(frozen=True)
class Refused:
    """Another try would end the same way, unless the setting behind `cause` changes."""

    why: str
    cause: str


@dataclass(frozen=True)
class Failed:
    """Another try may go well, after `wait_seconds` at the earliest where the host said so."""

    why: str
    cause: str
    wait_seconds: float | None = None


Outcome = Fetched | Refused | Failed


class Missed(Exception):
    """Carries an outcome from wherever it became clear."""

    def __init__(self, outcome: Refused | Failed) -> None:
        super().__init__(outcome.why)
        self.outcome = outcome


class Answer(NamedTuple):
    """What a host answered instead of a recording. `retry_after` in seconds, where it said so."""

    url: Url
    status: int
    retry_after: float | None = None


def of_status(answer: Answer, access: Access) -> Refused | Failed:
    """The outcome of every status but 200 and the redirects that are followed."""
    host, status = answer.url.host, answer.status
    if status == 410:
        return Refused(f"{host} says that the recording is gone for good (410).", GONE)
    if status == 404:
        return Failed(f"{host} does not have the recording (404). It may appear later.", NOT_READY, answer.retry_after)
    if status in (*_NOT_LET_IN, 403):
        why = f"{host} does not give the recording without permission ({status}). {_advice(answer.url, access)}"
        cause = auth_cause(answer.url, access)
        return Refused(why, cause) if status in _NOT_LET_IN else Failed(why, cause, answer.retry_after)
    if 200 < status < 300:
        return Failed(f"{host} answered {status} instead of the recording. It may not be ready yet.", NOT_READY)
    return Failed(f"{host} answered {status} instead of the recording.", HOST, answer.retry_after)


def _advice(url: Url, access: Access) -> str:
    if credential_for(access.credentials, url):
        return f"Check what DASHBOARD_RECORDING_AUTH has for {url.origin}."
    return f"If it needs a password or a token, set one for {url.origin} in DASHBOARD_RECORDING_AUTH."


def too_large(host: str, needed: int, access: Access) -> Refused:
    """`needed` is the size in bytes as far as it is known: more than the limit."""
    words = f"{access.max_bytes / MIB:,.0f} MiB"
    why = f"The recording at {host} is larger than {words} and was not kept. Set DASHBOARD_RECORDING_MAX_MIB higher."
    return Refused(why, f"{SIZE} {needed}")


def not_listed(why: str, pair: str) -> Refused:
    """`pair` is the host:port that would have to be in DASHBOARD_RECORDING_HOSTS."""
    return Refused(why, f"{HOSTS} {pair}")


def not_audio(host: str, text: str | None, problem: str) -> Failed:
    """`text` is what kind of text came, if it was text; `problem` is what the decoder said of anything else."""
    if text is not None:
        why = f"{host} sent {text} instead of a recording. The recording may not be ready yet."
    elif problem == "late":
        return Failed(f"What {host} sent could not be decoded in time. This server may be busy.", NOT_READY)
    elif problem == "silent":
        why = f"What {host} sent has no sound in it. The recording may not be ready yet."
    else:
        why = f"What {host} sent cannot be decoded as audio. The recording may not be ready yet."
    return Failed(why, NOT_READY)


def auth_cause(url: Url, access: Access) -> str:
    credential = credential_for(access.credentials, url)
    return f"{AUTH} {url.origin} {credential.mark if credential else '-'}"


def cut_cause(cause: str) -> str:
    """The cause of a recording whose beginning is kept, when a further attempt has failed for `cause`."""
    return f"{CUT} {cause}" if cause.partition(" ")[0] in (HOSTS, AUTH, SIZE) else CUT


def is_cut(cause: str) -> bool:
    """Whether this is the cause of a file that is kept without its end."""
    return cause.partition(" ")[0] == CUT


def is_gone(cause: str, access: Access) -> bool:
    """Whether the setting that stopped a recording lets it be fetched now."""
    kind, _, detail = cause.removeprefix(f"{CUT} ").partition(" ")
    if kind == HOSTS:
        host, _, port = detail.rpartition(":")
        return is_listed(host.strip("[]"), int(port), access.hosts)
    if kind == SIZE:
        return access.max_bytes >= int(detail)
    if kind == AUTH:
        origin, _, mark = detail.partition(" ")
        return mark != next((each.mark for each in access.credentials if each.origin == origin), "-")
    return False
