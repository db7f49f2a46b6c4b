"""Webhook bodies as an attacker, a broken sender or a bad day would make them: the vendor's sample with anything in it.

Deterministic: body number n of a seed is the same bytes on every machine, so a failure can be had again by its number.
Knows the sample and JSON's grammar, and nothing of the board.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from random import Random

from tests.reports import DOCUMENTED

MEBIBYTE = 2**20
# Roughly how many bodies of a thousand are heavy: a megabyte and more each.
HEAVY_PER_MILLE = 4

Object = dict[str, str]
"""Raw JSON by key: text, because json.dumps writes neither duplicates nor 1e999."""

MARKUP = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</tr></tbody></table><h1>out</h1>",
    "{{ 7 * 7 }}{% raw %}",
    "' onmouseover='alert(1)",
    "<hx-partial hx-target='body'>gone</hx-partial>",
    "&lt;b&gt;&amp;#x3c;",
    "--><!--",
    "]]>",
)
LINKS = (
    "javascript:alert(1)",
    " java\tscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "file:///etc/passwd",
    "//evil.example",
    "https:/\\evil.example",
    "https://user:pass@evil.example/",
    "http://127.0.0.1:1/recording.mp3",
    "http://[::1]:1/",
    "http://[bad",
    "https://пример.example/",
    "https://example.com:99999/",
    "http://" + "a." * 2000,
)
ODD_TEXTS = (
    "",
    " ",
    "\t\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029",
    "\x00",
    "a\x00b",
    "\r\nid: 99999999\r\nevent: reload\r\ndata: forged\r\n\r\n",
    "\u202egnp.exe\u202c\u2066\u2069",
    "\u200b\u200c\u200d\ufeff",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "e" + "\u0301" * 500,
    "नमस्ते, क्या आप बात कर सकते हैं?",
    "வணக்கம்",
    "\ufffe\uffff\U0010ffff",
    "null",
    "NaN",
    "-1",
    "none",
    "0x10",
    "1_000",
    "१२०",
    "²",
    "true",
    "../../etc/passwd",
    "=cmd|' /C calc'!A0",
    "' OR 1=1 --",
    "%00%ff%",
    "sha256:" + "0" * 64,
    "x" * 201,
    "Ω" * 5000,
    '[{"role": "user", "content": "\\ud800 and \\u0000"}]',
    '[{"role": {"a": []}, "content": [1, null, {"text": NaN}]}]',
    '[{"content": ' + "[" * 900 + "]" * 900 + "}]",
    "[" * 3000,
    "Agent: hello\nUser: " + "a: " * 500,
    "**" * 3000,
)
ODD_TIMES = (
    "2025-12-19",
    "2025/12/19 16:01:07",
    "2025-12-19T16:01:07+05:30",
    "2025-12-19T16:01:07.123456789Z",
    "0001-01-01 00:00:00",
    "9999-12-31 23:59:59",
    "9999-12-31T23:59:59-14:00",
    "2025-02-30 10:00:00",
    "2025-W51-5",
    "1766140267",
    "24:00",
    "२०२५-१२-१९",
    "2025-12-19 16:01:07 \ud83d",
)
ODD_RAW = (
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "-0.0",
    "0.5",
    "1.5e3",
    "1e308",
    "1e999",
    "-1e999",
    "1e-999",
    "NaN",
    "Infinity",
    "-Infinity",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "999999999999999999",
    "0.1234567890123456789",
    "7" * 5000,
    "-" + "7" * 5000,
    "[]",
    "{}",
    '""',
    "[null]",
    "[[]]",
    '{"": ""}',
    '{"a": 1, "a": 2, "a": {"b": null}}',
    '"\\u0000"',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\uD83D\\uDE00"',
    '{"\\u0000": "\\ud800", "\\ud800": 1}',
    '[1, "two", null, {"three": [4]}]',
    '"tab\tand\nline end, unescaped"',
)
# Not JSON, or no report: what a proxy, a scanner or a wrong setting sends.
WHOLE = (
    b"",
    b" ",
    b"\n\t\r ",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b'"call_ended"',
    b"0",
    b"NaN",
    b"-",
    b"[" * 100_000,
    b'{"event":"call_ended","data":' + b'{"a":' * 100_000,
    b'{"event":"call_ended","data":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    b'{"event":"call_ended","data":{"a":' + b"[" * 97 + b"]" * 97 + b"}}",
    b'{"event":"call_ended","data":{"a":' + b"[" * 98 + b"]" * 98 + b"}}",
    b'{"event":"call_ended","data":{"a":' + b"[" * 99 + b"]" * 99 + b"}}",
    b'{"event":"call_ended"}',
    b'{"event":"call_ended","data":null}',
    b'{"event":"call_ended","data":[]}',
    b'{"event":"call_ended","data":{}}',
    b'{"event":"call_ended","data":"{}"}',
    b'{"event":["call_ended"],"data":{}}',
    b'{"event":{"call_ended":1},"data":{"callSid":"x"}}',
    b'{"event":"CALL_ENDED","data":{"callSid":"x"}}',
    b'{"event":"whatsapp_message","data":{}}',
    b'{"event":"\\ud800\\u0000<b>","data":{}}',
    b'{"data":{"callSid":"no event"}}',
    b'{"event":"call_ended","event":"other","data":{}}',
    b'{"event":"call_ended","data":{}} trailing',
    b"event=call_ended&data=%7B%7D",
    b"<?xml version='1.0'?><event>call_ended</event>",
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    b"\x00" * 100,
    b"\xff\xfe\x00",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b'{"event":"call_ended","data":{"callSid":"\xed\xa0\x80"}}',
    b'{"event":"call_ended","data":{"callSid":"\x00"}}',
    b'{"\\u0065vent":"call_ended","\\u0064ata":{}}',
)


def hostile_body(seed: int, number: int) -> bytes:
    """Body `number` of a seed."""
    random = Random(f"{seed}/{number}")
    if random.random() * 1000 < HEAVY_PER_MILLE:
        return _written(random, number, random.choice(list(HEAVY.values()))(random))
    kind = random.random()
    if kind < 0.08:
        return random.choice(WHOLE)
    body = _written(random, number, _mutated(random))
    return _damaged(random, body) if kind < 0.2 else body


def hostile_bodies(seed: int, count: int) -> Iterator[bytes]:
    return (hostile_body(seed, number) for number in range(count))


@cache
def heavy_bodies() -> dict[str, bytes]:
    """Each of the heavy kinds once, by name."""
    return {
        name: _written(Random(name), -1 - number, heavy(Random(name)), plain_sid=True)
        for number, (name, heavy) in enumerate(HEAVY.items())
    }


def _written(random: Random, number: int, data: Object, *, plain_sid: bool = False) -> bytes:
    """The report around `data`; nine of ten are another call, the others meet in a few."""
    if plain_sid or (random.random() < 0.9 and "callSid" in data):
        data = data | {"callSid": f'"hostile{number}"'}
    elif random.random() < 0.5:
        data = data | {"callSid": f'"shared{random.randrange(40)}"', "try_count": str(random.randrange(3))}
    text = f'{{"event": "call_ended", "data": {_object(data)}}}'
    return text.encode("utf-8", "surrogatepass")


def _sample() -> Object:
    return {key: json.dumps(value) for key, value in DOCUMENTED.items()} | {"recordingUrl": '""'}


def _mutated(random: Random) -> Object:
    """The sample with some fields made odd, left out, twisted inside, or joined by strange ones."""
    data = _sample()
    for _ in range(random.choice((1, 1, 2, 3, 6, 21))):
        key = random.choice(list(DOCUMENTED))
        match random.randrange(8):
            case 0:
                data.pop(key, None)
            case 1:
                data[_key(random)] = _value(random)
            case 2:
                data[random.choice(("call_metadata", "post_call", "post_call_detail"))] = _nested(random, 3)
            case 3:
                data["functions_called"] = f"[{', '.join(_nested(random, 2) for _ in range(random.randrange(4)))}]"
            case 4:
                data["time"] = _quoted(random, random.choice(ODD_TIMES))
            case 5:
                data[random.choice(("recordingUrl", "call_link"))] = _quoted(random, random.choice(LINKS))
            case _:
                data[key] = _value(random)
    return data


def _value(random: Random) -> str:
    kind = random.random()
    if kind < 0.4:
        return random.choice(ODD_RAW)
    if kind < 0.8:
        return _quoted(random, random.choice(MARKUP + ODD_TEXTS + LINKS))
    if kind < 0.9:
        return _quoted(random, "".join(_character(random) for _ in range(random.randrange(30))))
    return _nested(random, random.choice((1, 2, 3, 60)))


def _nested(random: Random, depth: int) -> str:
    """An object or list around odd values."""
    if depth > 10:
        return "[" * depth + random.choice(ODD_RAW) + "]" * depth
    inner = [_nested(random, depth - 1) if depth and random.random() < 0.3 else _value_flat(random) for _ in range(3)]
    if random.random() < 0.25:
        return f"[{', '.join(inner)}]"
    return _object({_key(random): value for value in inner})


def _value_flat(random: Random) -> str:
    if random.random() < 0.5:
        return random.choice(ODD_RAW)
    return _quoted(random, random.choice(MARKUP + ODD_TEXTS))


def _key(random: Random) -> str:
    keys = (*MARKUP, *ODD_TEXTS, "name", "value", "comment", "success", "timestamp", "_simulated", "__proto__", "event")
    return random.choice(keys)


def _character(random: Random) -> str:
    """Any code point, surrogates too."""
    return chr(random.choice((random.randrange(0x80), random.randrange(0x3000), random.randrange(0x110000))))


def _quoted(random: Random, text: str) -> str:
    """A JSON string: escaped where it must be, or raw but for what ends it, as careless senders write it."""
    if random.random() < 0.7 or any("\ud800" <= character <= "\udfff" for character in text):
        return json.dumps(text)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _object(data: Object) -> str:
    return "{" + ", ".join(f"{json.dumps(key)}: {value}" for key, value in data.items()) + "}"


def _damaged(random: Random, body: bytes) -> bytes:
    """The bytes of a report, hurt on their way."""
    place = random.randrange(len(body))
    match random.randrange(9):
        case 0:
            return body[:place]
        case 1:
            return body[:place] + random.randbytes(random.randrange(1, 5)) + body[place:]
        case 2:
            return body[:place] + bytes([random.randrange(256)]) + body[place + 1 :]
        case 3:
            return b"\xef\xbb\xbf" + body
        case 4:
            text = body.decode("utf-8", "replace")
            return text.encode(random.choice(("utf-16", "utf-16-le", "utf-32", "utf-7")))
        case 5:
            return body.decode("utf-8", "replace").encode("latin-1", "replace") + b"\xe9"
        case 6:
            return body + random.choice((b" ", b"\x00", b",", b"}", body))
        case 7:
            return body.replace(b'"', b"'")
        case _:
            return body.replace(b": ", b":" + random.choice((b"\x00", b" " * 1000, b"\n\n")), 3)


def _long_text(words: str, size: int = MEBIBYTE) -> Callable[[Random], Object]:
    def heavy(_: Random) -> Object:
        return _sample() | {"transcription": json.dumps(words * (size // len(words.encode())), ensure_ascii=False)}

    return heavy


def _many(field: str, open_: str, item: Callable[[int], str], close: str, count: int) -> Callable[[Random], Object]:
    def heavy(_: Random) -> Object:
        return _sample() | {field: open_ + ",".join(map(item, range(count))) + close}

    return heavy


def _many_chat_entries(_: Random) -> Object:
    return _sample() | {"transcription": json.dumps("[" + ",".join(['{"role": 1, "text": 2}'] * 50_000) + "]")}


def _many_fields(_: Random) -> Object:
    return {f"f{number}": "0" for number in range(130_000)} | _sample()


def _huge_everywhere(random: Random) -> Object:
    return {key: json.dumps(random.choice(MARKUP) * 2000) for key in DOCUMENTED}


# A megabyte or more in one place each: what careless pages, regular expressions and sums of strings die of.
HEAVY: dict[str, Callable[[Random], Object]] = {
    "one_line_of_a_megabyte": _long_text("नमस्ते जी "),
    "one_word_of_a_megabyte": _long_text("a"),
    "lines_of_nothing": _long_text("\n", MEBIBYTE // 2),
    "lines_of_one_letter": _long_text("a\n"),
    "line_ends_of_every_kind": _long_text("a\r\u2028\x85"),
    "turns_of_one_letter": _long_text("Agent: a\nUser: b\n"),
    "one_turn_of_many_lines": _long_text("Agent: a\n"),
    "stars": _long_text("*"),
    "colons": _long_text("a:"),
    "blanks": _long_text("a "),
    "markup": _long_text("<script>"),
    "many_chat_entries": _many_chat_entries,
    "many_functions": _many("functions_called", "[", lambda n: "0", "]", 900_000),
    "many_empty_lists": _many("functions_called", "[", lambda n: "[]", "]", 600_000),
    "many_constants": _many("functions_called", "[", lambda n: "NaN", "]", 450_000),
    "many_variables": _many("post_call", "{", lambda n: f'"v{n}":{n}', "}", 120_000),
    "many_details": _many("post_call_detail", "{", lambda n: f'"v{n}":{{}}', "}", 120_000),
    "much_metadata": _many("call_metadata", "{", lambda n: f'"{n}":""', "}", 150_000),
    "one_key_many_times": _many("call_metadata", "{", lambda n: '"a":{}', "}", 200_000),
    "many_fields": _many_fields,
    "huge_everywhere": _huge_everywhere,
}
