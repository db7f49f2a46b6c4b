"""Forms sent as a page sends them: with the token of whoever has signed in."""

from __future__ import annotations

from quart import Response
from quart.typing import TestClientProtocol as Client

from dashboard.web.forms import FIELD, form_token_of
from dashboard.web.visitor import COOKIE, SECURE_COOKIE


def form_token(client: Client) -> str:
    """What the forms of this client's pages carry; "" before it has signed in."""
    cookies = {cookie.name: cookie.value or "" for cookie in client.cookie_jar or ()}
    return form_token_of(cookies.get(SECURE_COOKIE, "") or cookies.get(COOKIE, ""))


async def post(client: Client, path: str, **fields: str) -> Response:
    return await client.post(path, form={FIELD: form_token(client), **fields})


async def post_by_htmx(client: Client, path: str) -> Response:
    return await client.post(path, form={FIELD: form_token(client)}, headers={"HX-Request": "true"})
