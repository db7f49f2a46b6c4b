"""What programs can ask of the board, as OpenAPI: written by hand, from the very names the answers are made with."""

from __future__ import annotations

from typing import Any

from quart import Blueprint

from dashboard import __version__
from dashboard.figures import DURATIONS, FIGURES, PEOPLE, STAGES, Figures, Usual
from dashboard.filters import CHOICES, PERIODS
from dashboard.told import CSV_COLUMNS, SUMMARY
from dashboard.web.api import MOST_CALLS, USUAL_CALLS
from dashboard.web.openings import Who, open_to
from dashboard.web.pages import own_address
from dashboard.web.visitor import cookie_name

blueprint = Blueprint("openapi", __name__)

Part = dict[str, Any]
_KNOWN: dict[str, list[str]] = {"stage": list(STAGES), "figure": list(FIGURES), "duration": list(DURATIONS)}
_ROW_KEY = "^[0-9]{17}-[0-9]{10,}$"


@blueprint.get("/openapi.json")
@open_to(Who.ANYBODY)
async def show_openapi() -> Part:
    return description(own_address(), cookie_name())


def description(server: str, session_cookie: str) -> Part:
    """The whole document; `server` is the board's address, `session_cookie` the name of its cookie there."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Callboard",
            "version": __version__,
            "description": "Reading the board. A program sends a token as `Authorization: Bearer …`; an admin makes "
            "one at /tokens or with `token add`. Telephone numbers are masked, unless the token's role is admin.",
        },
        "servers": [{"url": server}],
        "security": [{"token": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": session_cookie},
            },
            "schemas": _schemas(),
            "responses": {"Problem": _answer("Why it was not done, and what to do.", _ref("Problem"))},
        },
    }


def _paths() -> Part:
    filters = _filters()
    pages = [
        _query("limit", "How many calls at most.", {"type": "integer", "maximum": MOST_CALLS, "default": USUAL_CALLS}),
        _query("before", "The next_before of the answer before: the calls that follow it.", {"pattern": _ROW_KEY}),
        _query(
            "after_seq",
            "Pulls changes since this number: `calls` that are new or have changed, in the order of their changes, and "
            "`removed` with calls that were erased, have grown too old or no longer match. Begin with 0 and go on with "
            "each answer's seq, until it stays the same; a page may be empty. Store the calls by id and delete what is "
            "removed: then you have exactly the calls that the filter lists. Only `period` moves without a change of "
            "any call: pull without it.",
            {"type": "integer", "minimum": 0},
        ),
    ]
    call_id = {"name": "call_id", "in": "path", "required": True, "schema": {"type": "integer"}}
    file = "Reviewers and admins who have signed in; each is written down in the audit log."
    return {
        "/api/board": _get("How many calls there are.", [], _answer("Counts.", _ref("Board"))),
        "/api/calls": _get("Calls, newest first, or changes.", [*filters, *pages], _answer("Calls.", _ref("Calls"))),
        "/api/calls/{call_id}": _get("One call, with its data.", [call_id], _answer("The call.", _ref("WholeCall"))),
        "/api/figures": _get("The figures of a filter.", filters, _answer("Figures.", _ref("Figures"))),
        "/calls.csv": _get(f"All calls of a filter as CSV. {file}", filters, _file("text/csv"), "session"),
        "/calls.jsonl": _get(f"The same, one WholeCall a line. {file}", filters, _file("application/jsonl"), "session"),
    }


def _schemas() -> Part:
    numbers = {name: {"type": "integer"} for name in Figures._fields}
    means = {name: {"type": "number"} for name in Usual._fields}
    whole = {"type": "integer"}
    text = {"type": "string"}
    return {
        "Problem": _object({"status": {"const": "error"}, "message": text}),
        "Board": _object({"calls": whole, "simulated": whole}),
        "Call": _object({name: _typed(kind, words) for name, (kind, words) in SUMMARY.items()}),
        "WholeCall": {
            "allOf": [
                _ref("Call"),
                _object({"data": {"type": "object", "description": "All that the reports said, merged."}}),
            ]
        },
        "Calls": _object(
            {
                "calls": {"type": "array", "items": _ref("Call")},
                "removed": {
                    "type": "array",
                    "items": _object({"id": whole, "seq": whole}),
                    "description": "With after_seq: calls to delete; pass over ids that you do not have.",
                },
                "next_before": {"type": ["string", "null"], "description": "null on the last page."},
                "seq": {"type": "integer", "description": "Up to which change this answer speaks of."},
            }
        ),
        "Figures": _object(
            {
                "figures": {
                    **_object(numbers),
                    "description": f"talk is in seconds; {', '.join(PEOPLE)} count people.",
                },
                "usual": {
                    "anyOf": [_object(means), {"type": "null"}],
                    "description": "What the same weekday comes to by now; for period=today, once two weeks are known.",
                },
                "hours": {"type": "array", "items": whole, "minItems": 24, "maxItems": 24},
                "listed": {"type": "integer", "description": "How many calls the whole filter lists."},
                "today": {"type": "string", "format": "date"},
                "timezone": text,
                "seq": whole,
            }
        ),
    }


def _filters() -> list[Part]:
    choices = [
        {
            **_query(choice, "Several may be given; any of them lets a call through. none: calls without one.", {}),
            "schema": {"type": "array", "items": {"type": "string"} | _one_of(_KNOWN.get(choice))},
            "explode": True,
        }
        for choice in CHOICES
    ]
    day = {"type": "string", "format": "date"}
    return [
        *choices,
        _query("period", "Days up to today, in the board's zone.", _one_of(list(PERIODS))),
        _query("from", "The first day.", day),
        _query("to", "The last day.", day),
    ]


def _one_of(values: list[str] | None) -> Part:
    return {"enum": values} if values else {}


def _query(name: str, words: str, schema: Part) -> Part:
    return {"name": name, "in": "query", "description": words, "schema": {"type": "string"} | schema}


def _get(words: str, parameters: list[Part], answer: Part, *by: str) -> Part:
    security: Part = {"security": [{scheme: []} for scheme in by]} if by else {}
    answers = {"200": answer, "default": {"$ref": "#/components/responses/Problem"}}
    return {"get": {"summary": words, "parameters": parameters, "responses": answers, **security}}


def _file(content_type: str) -> Part:
    columns = f"Columns: {', '.join(CSV_COLUMNS)}. " if content_type == "text/csv" else ""
    return {"description": f"{columns}Newest call first.", "content": {content_type: {"schema": {"type": "string"}}}}


def _answer(words: str, schema: Part) -> Part:
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def _ref(name: str) -> Part:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: Part) -> Part:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _typed(kind: str, words: str) -> Part:
    name = kind.removesuffix("?")
    return {"type": [name, "null"] if kind.endswith("?") else name, "description": words}
