"""The platform's door, in process."""

import asyncio

from quart.typing import TestClientProtocol as Client

from dashboard.web.parts import Callboard
from tests.reports import WEBHOOK, report

RECEIVED = {"status": "success", "message": "Webhook received"}


async def test_a_report_gets_the_documented_answer(client: Client) -> None:
    response = await client.post(WEBHOOK, data=report())
    assert (response.status_code, await response.get_json()) == (200, RECEIVED)


async def test_the_same_report_twenty_times_at_once_is_one_call_and_twenty_inbox_rows(app: Callboard) -> None:
    client = app.test_client()
    responses = await asyncio.gather(*(client.post(WEBHOOK, data=report()) for _ in range(20)))
    assert [response.status_code for response in responses] == [200] * 20
    counts = await app.database.read(
        lambda session: [
            session.connection().exec_driver_sql(f"select count(*) from {table}").scalar()
            for table in ("call", "inbox")
        ]
    )
    assert counts == [1, 20]
