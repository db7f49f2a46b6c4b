"""What can be asked of `connect`, and the arguments that say so."""

from __future__ import annotations

import argparse

from dashboard.links import parse_url
from dashboard.settings import LOOPBACK_HOSTS
from dashboard.web.parts import WEBHOOK_PATH


def add_connect_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--public-url",
        type=public_url,
        metavar="URL",
        help="the board's address for others: https://calls.example.com",
    )
    parser.add_argument(
        "--tunnel",
        type=public_url,
        metavar="URL",
        help="the https address of a tunnel to this machine; it gets a listener of its own that takes reports only",
    )
    parser.add_argument("--agent", action="store_true", help="print only what goes into the settings of a single agent")
    waiting = parser.add_mutually_exclusive_group()
    waiting.add_argument("--no-wait", action="store_true", help="do not wait for the first report")
    waiting.add_argument(
        "--wait", type=_seconds, metavar="SECONDS", help="wait so long at most (default: until Ctrl-C)"
    )


def public_url(text: str) -> str:
    """The board's address for others, without a path.

    Raises ArgumentTypeError for what CallKaro's servers cannot reach, or a board does not answer at.
    """
    url = parse_url(text)
    if url is None or url.scheme != "https" or url.fragment or url.target.rstrip("/") not in ("", WEBHOOK_PATH):
        raise argparse.ArgumentTypeError(f"an address such as https://calls.example.com, without a path, not {text!r}")
    if url.host in LOOPBACK_HOSTS:
        raise argparse.ArgumentTypeError(
            f"an address that the internet can reach, not {url.host}: that is this machine"
        )
    return f"https://{url.authority}"


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"a number of seconds from 0 on, not {text!r}")
    return seconds
