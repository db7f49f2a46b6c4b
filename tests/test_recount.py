"""Every figure on the board equals a recount of the rows, told in SQL by somebody who has not read figures.py."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import Session, text

from dashboard.app import create_app
from dashboard.callkaro.report import read_report
from dashboard.figures import PEOPLE
from dashboard.settings import Settings
from dashboard.simulator.story import Story
from dashboard.store.inbox import Arrival
from dashboard.web.parts import Callboard

REPORTS = 10_000
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
INDIA = ZoneInfo("Asia/Kolkata")

COUNTS = """
    select
      count(*) filter (where counted),
      count(*) filter (where counted and dialled),
      count(*) filter (where counted and connected),
      count(*) filter (where counted and converted),
      count(*) filter (where counted and reason = 'VOICEMAIL_DETECTED'),
      coalesce(sum(seconds) filter (where counted and connected), 0),
      count(*),
      count(distinct number) filter (where counted and number <> ''),
      count(distinct number) filter (where counted and number <> '' and connected),
      count(distinct number) filter (where counted and number <> '' and converted)
    from (
      select
        replace(replace(replace(replace(replace(
          case when type = 'inbound' or try_count = -1 then from_number else to_number end,
          '+', ''), ' ', ''), '-', ''), '(', ''), ')', '') as number,
        reason, campaign, at, coalesce(duration_seconds, 0) as seconds, coalesce(converted, false) as converted,
        type not in ('outbound-test', 'agent-test') as counted,
        reason not in ('OUTSIDE_TRIGGER_WINDOW', 'DELETED_SCH_CALL_ALL', 'DELETED_SCH_CALL_ONE', 'PRE_CALL_FN_FAILED',
                       'INVALID_PHONE_NUMBER') as dialled,
        reason in ('CLIENT_INITIATED', 'PARTICIPANT_REMOVED', 'SESSION_TIMEOUT')
          or (coalesce(duration_seconds, 0) > 0 and reason not in ('VOICEMAIL_DETECTED', 'USER_REJECTED',
              'USER_UNAVAILABLE', 'USER_UNRESPONSIVE', 'INVALID_PHONE_NUMBER', 'UNKNOWN', 'OUTSIDE_TRIGGER_WINDOW',
              'DELETED_SCH_CALL_ALL', 'DELETED_SCH_CALL_ONE', 'PRE_CALL_FN_FAILED')) as connected
      from call
    ) as told
    where (:campaign = '' or campaign = :campaign) and at >= :first and at < :last
"""
FIGURES = ("calls", "dialled", "connected", "converted", "voicemail", "talk")


def otherwise(number: str) -> str:
    """The same number as other systems write it."""
    return f"({number[:3]}) {number[3:8]}-{number[8:]}"


def bodies() -> list[bytes]:
    """A month of the simulator's calls, and among them every odd kind: changed, repeated, late, test, blank."""
    chance = random.Random(7)
    told = list(Story(7, NOW).back_story(days=40, calls=REPORTS * 3 // 4))
    for _ in range(REPORTS - len(told)):
        document = json.loads(chance.choice(told))
        data: dict[str, Any] = document["data"]
        data |= chance.choice(
            (
                {"conversion_status": chance.choice((True, False, "yes", None))},
                {"hangup_reason": chance.choice(("CLIENT_INITIATED", "VOICEMAIL_DETECTED", "BRAND_NEW", "", None))},
                {"call_duration": chance.choice((0, 7, "45", 61.5, -1, 10**30, None))},
                {"name": chance.choice(("agent-test", "outbound-test", "inbound", "hologram"))},
                {"batchId": chance.choice(("", None, "zeta", data.get("batchId")))},
                {"time": (NOW - timedelta(minutes=chance.randrange(60_000))).strftime("%Y-%m-%d %H:%M:%S")},
                {"callSid": chance.choice((None, f"again{chance.randrange(500)}"))},
                {"to": chance.choice((otherwise(data["to"] or ""), otherwise(data["from"] or ""), "", None))},
                {"from": chance.choice((otherwise(data["to"] or ""), ""))},
                {},
            )
        )
        told.append(json.dumps(document).encode())
    late = [told.pop(chance.randrange(len(told))) for _ in range(500)]
    return told[: REPORTS - 500] + late


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[Callboard]:
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'callboard.db'}", data_folder=tmp_path)
    made = create_app(settings, now=lambda: NOW)
    async with made.test_app():
        async with asyncio.timeout(5):
            await made.feed.ready.wait()
        yield made


async def take_in(app: Callboard, told: list[bytes]) -> None:
    for start in range(0, len(told), 500):
        batch = told[start : start + 500]
        arrivals = (Arrival(int(NOW.timestamp()) * 1_000_000, body, read_report(body)) for body in batch)
        await asyncio.gather(*(app.intake.keep(arrival) for arrival in arrivals))


def recount(session: Session, campaign: str, first: date | None, last: date | None) -> list[int]:
    def midnight(day: date) -> int:
        return int(datetime(day.year, day.month, day.day, tzinfo=INDIA).timestamp()) * 1_000_000

    limits = {
        "first": midnight(first) if first else 0,
        "last": midnight(last + timedelta(days=1)) if last else 2**62,
    }
    return list(session.execute(text(COUNTS), {"campaign": campaign, **limits}).one())


def shown(html: str) -> list[int]:
    """The figures of a page, and how many calls it says it lists."""
    names = (*FIGURES, *PEOPLE)
    values = [int(re.search(rf'data-figure="{name}" data-value="(\d+)"', html)[1]) for name in names]  # type: ignore[index]
    listed = re.search(r'id="listed"(?: hidden)?><span class="count">([\d,]+)<', html)
    assert listed
    return [*values, int(listed[1].replace(",", ""))]


async def page(app: Callboard, address: str) -> str:
    response = await app.test_client().get(address)
    assert response.status_code == 200, address
    html: str = await response.get_data(as_text=True)
    return html


async def walk(app: Callboard, address: str) -> list[str]:
    """The ids of all rows of an address, through every page of older ones."""
    ids: list[str] = []
    while address:
        html = await page(app, address)
        ids += re.findall(r'<tr id="call-(\d+)"', html)
        older = re.search(r'<p id="older"><a href="([^"]+)"', html)
        address = unescape(older[1]) if older else ""
    return ids


@pytest.mark.timeout(120)
async def test_every_figure_of_all_each_campaign_and_period_equals_a_recount(app: Callboard) -> None:
    await take_in(app, bodies())
    today = date(2026, 11, 23)
    campaigns = await app.database.read(
        lambda session: [
            row[0] for row in session.execute(text("select distinct campaign from call where campaign <> ''"))
        ]
    )
    assert len(campaigns) > 5
    periods = {
        "": (None, None),
        "period=today": (today, today),
        "period=7d": (today - timedelta(days=6), today),
        "period=30d": (today - timedelta(days=29), today),
        "from=2026-11-02&to=2026-11-09": (date(2026, 11, 2), date(2026, 11, 9)),
    }
    for campaign in ["", *campaigns]:
        for query, (first, last) in periods.items():
            address = "/?" + "&".join(part for part in (f"campaign={campaign}" if campaign else "", query) if part)
            counted = await app.database.read(lambda session: recount(session, campaign, first, last))  # noqa: B023
            *figures, listed = shown(await page(app, address))
            assert [*figures[:6], listed, *figures[6:]] == counted, address


async def test_clicking_a_figure_lists_just_as_many_calls_as_it_says(app: Callboard) -> None:
    await take_in(app, bodies()[::10])
    html = await page(app, "/?period=30d")
    values = dict(zip(FIGURES, shown(html), strict=False))
    assert values["calls"] > 100
    for name, value in values.items():
        address = re.search(rf'id="figure-{name}" href="([^"]+)"', html)
        assert address
        ids = await walk(app, unescape(address[1]))
        assert len(ids) == len(set(ids)) == (values["connected"] if name == "talk" else value)
