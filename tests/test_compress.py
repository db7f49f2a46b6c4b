"""What goes out compressed, and what stays as it is."""

from __future__ import annotations

import gzip
import re

import pytest

from dashboard.web.parts import Callboard

ACCEPT = {"Accept-Encoding": "gzip, br"}


@pytest.mark.parametrize("path", ["/", "/static/app.css", "/static/call.js", "/static/icon.svg"])
async def test_pages_and_scripts_are_the_same_once_unpacked(app: Callboard, path: str) -> None:
    client = app.test_client()
    plain = await (await client.get(path)).get_data(as_text=False)
    response = await client.get(path, headers=ACCEPT)
    packed = await response.get_data(as_text=False)
    if len(plain) < 1200:
        assert packed == plain
        return
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["Vary"] == "Accept-Encoding"
    assert int(response.headers["Content-Length"]) == len(packed) < len(plain) / 2
    unpacked = gzip.decompress(packed)
    # The page's age aside: a stream begins where its page was drawn.
    assert re.sub(rb"after=\d+", b"", unpacked) == re.sub(rb"after=\d+", b"", plain)


async def test_a_stream_is_not_held_back_to_be_compressed(app: Callboard) -> None:
    async with app.test_client().request("/live", headers=ACCEPT) as connection:
        await connection.send_complete()
        assert (await connection.receive()).startswith(b":")
        await connection.disconnect()


async def test_a_compressed_file_is_not_sent_again(app: Callboard) -> None:
    client = app.test_client()
    etag = (await client.get("/static/app.css", headers=ACCEPT)).headers["ETag"]
    response = await client.get("/static/app.css", headers=ACCEPT | {"If-None-Match": etag})
    assert response.status_code == 304
