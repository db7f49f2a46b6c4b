"""Programs read calls, changes and figures; what they get is what /openapi.json says."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from quart.typing import TestClientProtocol as Client

from dashboard.filters import CHOICES
from dashboard.roles import VIEWER, Rights
from dashboard.web.parts import Callboard
from tests.cast import enter, enter_cast
from tests.reports import WEBHOOK, report
from tests.stored import rows, sql

MakeApp = Callable[..., Awaitable[Callboard]]


async def take(client: Client, *bodies: bytes) -> None:
    for body in bodies:
        assert (await client.post(f"{WEBHOOK}?token=hush", data=body)).status_code == 200


async def read(client: Client, path: str, status: int = 200) -> Any:
    answer = await client.get(path)
    assert answer.status_code == status, path
    assert answer.headers["Content-Type"] == "application/json"
    return await answer.get_json()


async def test_calls_come_newest_first_page_by_page_and_none_twice(client: Client) -> None:
    await take(client, *(report(f"sid-{number}", time=f"2025-12-19 10:{number % 3:02}:00") for number in range(25)))
    found, path = [], "/api/calls?limit=10"
    while path:
        page = await read(client, path)
        found += [(call["at"], call["id"]) for call in page["calls"]]
        path = page["next_before"] and f"/api/calls?limit=10&before={page['next_before']}"
    assert len(found) == 25
    assert found == sorted(set(found), reverse=True)


async def test_the_filters_are_the_boards(client: Client) -> None:
    await take(client, report("a", batchId="north"), report("b", batchId="south"), report("c", conversion_status=False))
    for query in (
        "campaign=north",
        "campaign=north&campaign=south",
        "stage=converted",
        "from=2025-12-20",
        "figure=calls",
    ):
        html = await (await client.get(f"/?{query}")).get_data(as_text=True)
        listed = [int(call_id) for call_id in re.findall(r'<tr id="call-(\d+)"', html)]
        assert [call["id"] for call in (await read(client, f"/api/calls?{query}"))["calls"]] == listed, query


async def test_changes_are_pulled_until_there_are_no_more(client: Client) -> None:
    await take(client, *(report(f"sid-{number}", batchId="ab"[number % 2]) for number in range(7)))
    seen: dict[int, dict[str, Any]] = {}
    seq, before = 0, -1
    while seq != before:
        page = await read(client, f"/api/calls?after_seq={seq}&limit=2&campaign=a")
        seen |= {call["id"]: call for call in page["calls"]}
        before, seq = seq, page["seq"]
    assert {call["call_sid"] for call in seen.values()} == {"sid-0", "sid-2", "sid-4", "sid-6"}
    await take(client, report("sid-2", batchId="a", disposition_reason="Changed"))
    changed = await read(client, f"/api/calls?after_seq={seq}")
    assert [(call["call_sid"], call["disposition"]) for call in changed["calls"]] == [("sid-2", "Changed")]
    assert changed["seq"] > seq


async def test_a_list_says_from_which_number_on_to_pull(client: Client) -> None:
    await take(client, report("a"), report("b"))
    seq = (await read(client, "/api/calls"))["seq"]
    await take(client, report("c"))
    assert [call["call_sid"] for call in (await read(client, f"/api/calls?after_seq={seq}"))["calls"]] == ["c"]


async def test_a_call_comes_with_all_that_was_reported(client: Client) -> None:
    await take(client, report("a", new_field={"deep": [1]}))
    call = await read(client, "/api/calls/1")
    assert call["data"]["new_field"] == {"deep": [1]}
    assert call["data"]["to"] == call["customer_number"] == "918765432109"


async def test_figures_are_those_of_the_board(client: Client) -> None:
    await take(client, report("a"), report("b", conversion_status=False), report("c", name="agent-test"))
    html = await (await client.get("/?figure=converted")).get_data(as_text=True)
    figures = await read(client, "/api/figures?figure=converted")
    assert {name: int(value) for name, value in re.findall(r'data-figure="(\w+)" data-value="(\d+)"', html)} == figures[
        "figures"
    ]
    assert figures["listed"] == 1
    assert sum(figures["hours"]) == 2


async def test_what_cannot_be_read_is_told_why_in_json(client: Client) -> None:
    for path in (
        "/api/calls?limit=0",
        "/api/calls?limit=501",
        "/api/calls?limit=x",
        "/api/calls?limit=-1",
        "/api/calls?before=x",
        "/api/calls?after_seq=x",
        "/api/calls?after_seq=",
        "/api/calls?after_seq=-1",
        "/api/calls?after_seq=999999",
        "/api/calls?after_seq=0&before=1",
        "/api/calls?stage=nothing",
        "/api/figures?period=never",
        "/api/figures?campain=north",
        "/api/figures?limit=5",
        "/api/calls?campaign=north&nummer=1",
    ):
        problem = await read(client, path, 400)
        assert problem["status"] == "error"
        assert problem["message"].endswith("."), path


async def test_what_is_not_there_is_a_404_in_json(client: Client) -> None:
    for path in ("/api/calls/1", f"/api/calls/{2**63}", "/api/calls/x", "/api/nowhere", "/api/"):
        assert (await read(client, path, 404))["message"]


async def test_another_method_is_a_405_in_json(client: Client) -> None:
    answer = await client.post("/api/calls")
    assert (answer.status_code, (await answer.get_json())["status"]) == (405, "error")


async def test_while_the_index_is_loaded_programs_are_asked_to_wait(client: Client, app: Callboard) -> None:
    app.feed.ready.clear()
    for path in ("/api/calls", "/api/figures"):
        assert "Ask again" in (await read(client, path, 503))["message"]


async def test_whoever_reads_calls_is_written_down_once_an_hour(make_app: MakeApp) -> None:
    app = await make_app(admin_password="open sesame", webhook_secrets=("hush",))
    await take(app.test_client(), report("a"))
    cast = await enter_cast(app)
    before = len(rows(app.database, "audit"))
    for name in ("ada", "vera"):
        for path in ("/api/calls", "/api/calls?after_seq=0", "/api/calls/1", "/api/figures"):
            await read(cast[name], path)
    lines = [tuple(line.values()) for line in rows(app.database, "audit", "account, action")[before:]]
    assert lines == [(name, "calls read by the API") for name in ("ada", "vera")]
    sql(app.database, "UPDATE audit SET at = at - 3601000000")
    await read(cast["vera"], "/api/calls/1")
    assert len(rows(app.database, "audit")) == before + 3


async def test_numbers_are_masked_for_whom_they_are_not_to_be_seen(make_app: MakeApp) -> None:
    app = await make_app(webhook_secrets=("hush",))
    cast = await enter_cast(app)
    await take(cast["ada"], report("a"))
    for name, number in (("ada", "918765432109"), ("rita", "87•••••109"), ("vera", "87•••••109")):
        for call in ((await read(cast[name], "/api/calls"))["calls"][0], await read(cast[name], "/api/calls/1")):
            assert call["customer_number"] == number


async def test_whoever_is_limited_to_campaigns_hears_of_no_other(make_app: MakeApp) -> None:
    app = await make_app(webhook_secrets=("hush",))
    client = await enter(app, "nora", Rights(VIEWER, ("north", "east")))
    await take(client, report("a", batchId="north"), report("b", batchId="south"), report("c", batchId=""))
    assert await read(client, "/api/board") == {"calls": 1, "simulated": 0}
    for path in ("/api/calls", "/api/calls?after_seq=0", "/api/calls?campaign=north&campaign=south"):
        assert [call["call_sid"] for call in (await read(client, path))["calls"]] == ["a"], path
    assert (await read(client, "/api/figures"))["figures"]["calls"] == 1
    assert (await read(client, "/api/calls?campaign=south"))["calls"] == []
    await read(client, "/api/calls/1")
    for call_id in (2, 3):
        await read(client, f"/api/calls/{call_id}", 404)


# What is said of it


async def test_the_description_names_every_route_for_programs_and_no_other(app: Callboard) -> None:
    document = await read(app.test_client(), "/openapi.json")
    described = {
        (re.sub(r"\{(\w+)\}", r"<int:\1>", path), method.upper())
        for path, methods in document["paths"].items()
        for method in methods
    }
    routes = {
        (rule.rule, method)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(("/api/", "/calls."))
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == routes
    for path in ("/api/calls", "/api/figures", "/calls.csv", "/calls.jsonl"):
        names = {parameter["name"] for parameter in document["paths"][path]["get"]["parameters"]}
        assert names >= {*CHOICES, "period", "from", "to"}


def fits(schema: dict[str, Any], value: Any, schemas: dict[str, Any]) -> bool:
    """Whether a value is what a schema describes, no field more and none less; as much of JSON Schema as ours uses."""
    if "$ref" in schema:
        return fits(schemas[schema["$ref"].rpartition("/")[2]], value, schemas)
    if "anyOf" in schema:
        return any(fits(each, value, schemas) for each in schema["anyOf"])
    if "allOf" in schema:
        parts = [schemas[part["$ref"].rpartition("/")[2]] if "$ref" in part else part for part in schema["allOf"]]
        merged = {name: each for part in parts for name, each in part["properties"].items()}
        return fits({"type": "object", "properties": merged}, value, schemas)
    if "const" in schema:
        return bool(schema["const"] == value)
    kinds: dict[str, Any] = {
        "object": dict, "array": list, "string": str, "integer": int, "number": int | float, "boolean": bool,
    }  # fmt: skip
    names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if value is None:
        return "null" in names
    if not any(isinstance(value, kinds[name]) for name in names if name != "null"):
        return False
    if "properties" in schema:
        fields = schema["properties"]
        return set(fields) == set(value) and all(fits(fields[name], value[name], schemas) for name in fields)
    return "items" not in schema or all(fits(schema["items"], each, schemas) for each in value)


async def test_the_answers_are_what_the_description_says(client: Client) -> None:
    await take(client, report("a"), b'{"event": "call_ended", "data": {}}')
    document = await read(client, "/openapi.json")
    schemas = document["components"]["schemas"]
    for path, asked in (
        ("/api/board", "/api/board"),
        ("/api/calls", "/api/calls"),
        ("/api/calls", "/api/calls?after_seq=0"),
        ("/api/calls/{call_id}", "/api/calls/1"),
        ("/api/calls/{call_id}", "/api/calls/2"),
        ("/api/figures", "/api/figures?period=today"),
    ):
        schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert fits(schema, await read(client, asked), schemas), asked
        assert not fits(schema, {"other": 1}, schemas)
    assert fits(schemas["Problem"], await read(client, "/api/calls?limit=x", 400), schemas)


async def test_the_described_cookie_is_the_one_that_a_sign_in_sets(make_app: MakeApp) -> None:
    for url in ("", "http://board.example", "https://board.example"):
        app = await make_app(admin_password="open sesame street", public_url=url)
        client = app.test_client()
        document = await read(client, "/openapi.json")
        entered = await client.post("/sign-in", form={"name": "admin", "password": "open sesame street"})
        name = document["components"]["securitySchemes"]["session"]["name"]
        assert entered.headers["Set-Cookie"].startswith(f"{name}="), url
        assert name.startswith("__Host-") is url.startswith("https://")
