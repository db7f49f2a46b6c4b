"""Scripts, styles and icons. Their addresses carry a hash (`?v=`), so that browsers keep them for a year."""

from __future__ import annotations

import hashlib
from pathlib import Path

from quart import Response, request, send_from_directory
from werkzeug.exceptions import NotFound

from dashboard.web.openings import Who, open_to
from dashboard.web.parts import Callboard

# A file system refuses longer names with an error that is no 404.
LONGEST_NAME = 200
_FOR_EVER = "public, max-age=31536000, immutable"
_REVALIDATED = "public, no-cache"


def serve_static(app: Callboard, folder: Path) -> None:
    version = app.draw.static_version
    at_start = _stamps(folder)

    @app.get("/static/<path:filename>")
    @open_to(Who.ANYBODY)
    async def static_file(filename: str) -> Response:
        if len(filename) > LONGEST_NAME:
            raise NotFound
        response = await send_from_directory(folder, filename, conditional="Range" not in request.headers)
        # Under another hash, and after an upgrade has put other files in place, the browser would keep the wrong bytes
        # for a year.
        path = folder / filename
        is_right = request.args.getlist("v") == [version] and _stamp(path) == at_start.get(path)
        response.headers["Cache-Control"] = _FOR_EVER if is_right else _REVALIDATED
        return response

    @app.get("/robots.txt")
    @open_to(Who.ANYBODY)
    async def robots() -> Response:
        """No search engine has anything to look for here, not even the sign-in page."""
        return Response("User-agent: *\nDisallow: /\n", 200, content_type="text/plain; charset=utf-8")


def version_of(folder: Path) -> str:
    """A short hash of all static files."""
    sha = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            sha.update(path.read_bytes())
    return sha.hexdigest()[:12]


def _stamps(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: _stamp(path) for path in folder.rglob("*") if path.is_file()}


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
