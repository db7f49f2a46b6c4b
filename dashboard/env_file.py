"""The settings file: lines of NAME=value, read as a shell, systemd and editors on any system write them.

A line is read as it is meant or refused with its number. A line that is passed over could be the webhook's secret, and
a board without one takes reports from everybody on its machine.
"""

from __future__ import annotations

import codecs
import os
import re
import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

from dashboard.disk import sync_folder

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Not str.splitlines, which also splits at letters that a password may have.
_LINE_END = re.compile(r"\r\n|\n|\r")
_COMMENT = re.compile(r"(?:^|\s)#.*")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# Editors and chats turn straight quotes into curved ones.
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’"}
_CURVED = "“”„‟‘’‚‛＂＇"
_ESCAPED = re.compile(r'\\(["\\$`])')
# What an editor leaves at the ends of a line without showing it.
_INVISIBLE = "\ufeff\u200b"
# With the typos that are likely in it.
_OUR_PREFIX = re.compile("(DASH[A-Z]*|CALLBOARD)_")


class BadSetting(ValueError):
    """A setting that cannot be used; its text names the variable and what to write there."""


def read_env_file(path: Path) -> dict[str, str]:
    """The settings of a file; empty where there is none. Raises BadSetting with the number of a line."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as problem:
        raise BadSetting(f"{path} cannot be read: {problem.strerror}.") from problem
    try:
        return parse_env_file(content)
    except _BadLine as problem:
        number, words = problem.args
        raise BadSetting(f"{path}, line {number}: {words}") from None


def parse_env_file(content: bytes) -> dict[str, str]:
    """NAME=value lines as a dictionary. Never quotes a line in an error: it may hold a secret."""
    found: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(_LINE_END.split(_decoded(content)), 1):
        text = _trimmed(line)
        if not text or text.startswith("#"):
            continue
        name, value = _setting(number, text)
        before, known = found.get(name, (number, ""))
        # Empty first and filled later is how `connect` completes a file.
        if known and known != value:
            raise _BadLine(number, f"{name} has another value in line {before}. Take one of the two lines out.")
        found[name] = number, value
    return {name: value for name, (_, value) in found.items()}


def misspelled(environment: Iterable[str], of_file: Iterable[str], known: Collection[str]) -> Iterator[str]:
    """A sentence for each name that is no setting: any of the file, and of the environment what looks like one."""
    # Compared without the prefix: with it any two names are alike.
    bare = {_OUR_PREFIX.sub("", each): each for each in sorted(known)}
    like_ours = (name for name in environment if _OUR_PREFIX.match(name.upper()))
    for name in sorted({*like_ours, *of_file} - set(known)):
        near = get_close_matches(_OUR_PREFIX.sub("", name.upper()), bare, n=1, cutoff=0.7)
        meant = f"Was {bare[near[0]]} meant?" if near else "The README lists all there are."
        yield f"{name} is no setting, and what it says is not heard. {meant}"


def add_lines(path: Path, lines: Sequence[str]) -> None:
    """Append lines to the settings file and make it readable by its owner only.

    The file is replaced in one step, so that a server that starts meanwhile reads the old or the new one. Raises
    BadSetting.
    """
    path = path.resolve()  # a link stays a link
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        before = _decoded(path.read_bytes()) if path.exists() else ""
        gap = "\n" if before and not before.endswith("\n") else ""
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(before + gap + "".join(f"{line}\n" for line in lines))
                file.flush()
                if os.geteuid() == 0:  # or the board's own user could not read what root has added
                    owner = (path if path.exists() else path.parent).stat()
                    os.fchown(descriptor, owner.st_uid, owner.st_gid)
                os.fsync(descriptor)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as problem:
        raise BadSetting(
            f"{path} cannot be written: {problem.strerror or problem}. Set DASHBOARD_DATA to a "
            "folder that this user may write to."
        ) from problem


class _BadLine(ValueError):
    """The number of a line, and what is wrong with it."""


def _decoded(content: bytes) -> str:
    """The file's text, whichever of the usual encodings an editor chose. Raises _BadLine."""
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as problem:
        number = content.count(b"\n", 0, problem.start) + 1
        raise _BadLine(number, "these bytes are no UTF-8 text. Save the file as UTF-8.") from None


def _trimmed(text: str) -> str:
    return text.strip().strip(_INVISIBLE).strip()


def _setting(number: int, text: str) -> tuple[str, str]:
    """The name and value of one line. Raises _BadLine."""
    name, separator, value = text.partition("=")
    words = name.split()
    if words[:1] == ["export"]:
        words = words[1:]
    if not separator or len(words) != 1 or not _NAME.fullmatch(words[0]):
        raise _BadLine(number, "this is not NAME=value. Put a # before it if it is a comment.")
    if _CONTROL.search(value):
        raise _BadLine(number, f"the value of {words[0]} holds a control character. Save the file as UTF-8 text.")
    return words[0], _value(number, words[0], value)


def _value(number: int, name: str, text: str) -> str:
    """A value without its quotes and without a comment behind it. Raises _BadLine."""
    value = text.strip()
    closing = _QUOTES.get(value[:1])
    if closing is None:
        # Directly behind the equals sign a # belongs to the value, as in a shell.
        value = value if text.startswith("#") else _COMMENT.sub("", value)
        if value.endswith("\\"):
            raise _BadLine(number, f"the value of {name} ends in a backslash: put it in single quotes, on one line.")
        value = _trimmed(value)
        if value.strip(_CURVED) != value:
            raise _BadLine(number, f"the value of {name} begins or ends with a curved quote: use straight ones.")
        return value
    is_double = closing == '"'
    inside = r'(?:\\.|[^"\\])*' if is_double else f"[^{closing}]*"
    found = re.fullmatch(rf"(?s:.)({inside}){closing}\s*(?:#.*)?", value)
    if found is None:
        raise _BadLine(number, f"the quotes around the value of {name} do not match.")
    return _ESCAPED.sub(r"\1", found[1]) if is_double else found[1]
