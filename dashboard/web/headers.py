"""The headers that every answer to a browser carries: they keep it from doing what a stranger's text asks."""

from __future__ import annotations

from quart import Response

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "media-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# What the board never asks a browser for. Recordings are played, so nothing is said of sound.
_NEVER_ASKED_FOR = (
    "accelerometer",
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "hid",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "publickey-credentials-get",
    "serial",
    "usb",
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _NEVER_ASKED_FOR),
    "X-Content-Type-Options": "nosniff",
    # For browsers that do not know frame-ancestors.
    "X-Frame-Options": "DENY",
    # The origin alone: an address holds the key of a shared wall, or a number that was searched for, and a proxy writes
    # the Referer into its error log. "no-referrer" makes browsers send `Origin: null` with our own forms, and the
    # sign-in fails; links to other sites are `noreferrer`.
    "Referrer-Policy": "strict-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
NOT_STORED = "no-store"
"""Cache-Control of whatever holds a call, and of all that says nothing else: nobody reads it after signing out."""


async def harden(response: Response) -> Response:
    """After every request."""
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", NOT_STORED)
    return response
