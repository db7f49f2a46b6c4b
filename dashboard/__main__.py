"""The command line: serve · demo · connect · doctor · simulate · migrate · user · token · import · forward ·
recordings · rebuild · backup · restore · prune · erase."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import sys
from collections.abc import Sequence
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from dashboard import __version__, console, logs, machine
from dashboard.app import create_app, stop
from dashboard.connect.options import add_connect_arguments
from dashboard.database import Database
from dashboard.database.errors import CannotUse
from dashboard.forward_command import add_forward_arguments, forward
from dashboard.import_command import add_import_arguments, import_file
from dashboard.migrations import NewerSchema, NotCopied, migrate
from dashboard.program import DEMO_COMMAND, PROGRAM
from dashboard.recordings_command import add_recordings_arguments, recordings
from dashboard.safekeeping.backup import add_backup_arguments, backup
from dashboard.safekeeping.prune import add_erase_arguments, add_prune_arguments, erase_person, prune
from dashboard.safekeeping.rebuild import add_rebuild_arguments, rebuild
from dashboard.safekeeping.restore import add_restore_arguments, restore
from dashboard.safekeeping.steps import CannotRun, cause_of
from dashboard.server import CannotListen, listen, serve
from dashboard.settings import CONNECT_COMMAND, BadSetting, Settings, unknown_settings
from dashboard.simulator.options import add_simulate_arguments, options_from
from dashboard.tokens import add_token_arguments, token
from dashboard.users import add_user_arguments, user
from dashboard.web.parts import Callboard

log = logging.getLogger(__name__)

_COLLECT_SECONDS = 120


def main(arguments: Sequence[str] | None = None) -> int:
    console.set_up()
    parser = _parser()
    options = parser.parse_args(arguments)
    if unreadable := [name for name, value in vars(options).items() if not console.is_text(value)]:
        parser.error(f"{unreadable[0]} is not written in the encoding of this terminal: use one that speaks UTF-8.")
    logs.set_up("text")
    try:
        code: int = options.run(options)
    except (CannotRun, CannotListen, BadSetting, NewerSchema, NotCopied) as problem:
        print(f"callboard: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="callboard" if PROGRAM.endswith("callboard") else "python -m dashboard",
        description="A live board for AI phone calls.",
    )
    parser.add_argument("--version", action="version", version=f"Callboard {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, words: str, run: object) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=words, description=words)
        made.set_defaults(run=run)
        return made

    command("serve", "Serve the board; brings its database up to date first.", _serve)
    made = command("demo", "A board of its own with simulated calls that can be heard.", _demo)
    made.add_argument("--bind", default="127.0.0.1:8000", help="address of the demo board (default %(default)s)")
    add_connect_arguments(
        command(
            "connect", "Say what to paste into CallKaro, make what is missing, and wait for the first report.", _connect
        )
    )
    command("doctor", "Look for what is set up wrong, and say how to mend it; whether the server runs or not.", _doctor)
    add_simulate_arguments(command("simulate", "Send simulated calls, or a file of reports, to a board.", _simulate))
    command("migrate", "Bring the database up to date.", _migrate)
    add_user_arguments(command("user", "Make, list, disable accounts; change a password.", _user))
    add_token_arguments(command("token", "Make, list, end tokens with which programs read the board.", _token))
    add_import_arguments(
        command(
            "import",
            "Take in a file of reports, one JSON body a line, as if the platform had sent them; what CallKaro's "
            "`ck calls list --json` and `ck calls export` write, if it has each call's callSid; or the board's own "
            "exports, also after a spreadsheet saved them again. Rows that a spreadsheet damaged are left out and "
            "named; then it ends with 1.",
            _import,
        )
    )
    add_forward_arguments(command("forward", "How the targets stand that reports are handed on to.", _forward))
    add_recordings_arguments(
        command("recordings", "The recordings that are not kept, and why; fetch them again.", _recordings)
    )
    add_rebuild_arguments(command("rebuild", "Tell every call anew from the reports in the inbox; ids stay.", _rebuild))
    add_backup_arguments(command("backup", "Copy the database into one file, while the board runs.", _backup))
    add_restore_arguments(command("restore", "Put a backup in place of the database, while no board runs.", _restore))
    add_prune_arguments(
        command("prune", "Remove what has reached its age (DASHBOARD_KEEP_…_DAYS), pack the rest.", _prune)
    )
    add_erase_arguments(command("erase", "Erase one person everywhere, by the number.", _erase))
    return parser


def _serve(_: argparse.Namespace) -> int:
    settings = Settings.from_env()
    logs.set_up(settings.log)
    machine.return_large_blocks()
    _warn_of_unknown_settings(settings)
    _refuse_open_board(settings)
    database = _open(settings)
    database.close()
    try:
        app = create_app(settings)
    except OSError as problem:
        raise CannotRun(f"The data folder {settings.data_folder} cannot be used: {problem.strerror}.") from problem
    asyncio.run(_serve_app(app, settings))
    return 0


def _warn_of_unknown_settings(settings: Settings) -> None:
    for sentence in unknown_settings(os.environ, settings.data_folder):
        log.warning("%s", sentence)


async def _serve_app(app: Callboard, settings: Settings) -> None:
    sockets = [listen(settings.bind, setting="PORT" if settings.port_given else "DASHBOARD_BIND")]
    if settings.webhook_bind:
        sockets.append(listen(settings.webhook_bind, setting="DASHBOARD_WEBHOOK_BIND"))
    _settle_interpreter()
    collecting = asyncio.create_task(_collect_garbage())
    _greet(settings)
    await serve(app, sockets, on_stop=partial(stop, app))
    collecting.cancel()


def _settle_interpreter() -> None:
    """Set the pace of the garbage collector and of the threads for a server."""
    # A thread that waits for the interpreter has it after so long, 5 ms otherwise. The writer waits for it twenty times
    # a batch: beside a thread that draws an export, a report took 60 ms to be written down instead of 15.
    sys.setswitchinterval(0.0005)
    # What stands by now stays for good. The collector's own pace walks through all of it again and again while a large
    # report is read: a 2 MiB one took twice as long. Everybody waits for a collection, so the first two of the three
    # kinds come early: of a hundred thousand new objects one took a fifth of a second. The third comes by the clock.
    # Left to itself it came in the midst of such a report, or not for a day, while what closed pages leave behind piled
    # up.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 4, 1_000_000)


async def _collect_garbage() -> None:
    while True:
        await asyncio.sleep(_COLLECT_SECONDS)
        gc.collect()


def _greet(settings: Settings) -> None:
    address = settings.public_url or f"http://{settings.bind}"
    print(f"The board is at {address}")
    print(f"CallKaro's webhook goes to {address}/webhook/call-webhook")
    if not settings.is_local and not settings.public_url:
        print("Set DASHBOARD_PUBLIC_URL to the address that others use, and it stands here.")
    if settings.webhook_bind:
        print(
            f"Reports alone are taken at http://{settings.webhook_bind} too: point a tunnel there, never at the board."
        )
    if settings.is_local and not settings.webhook_secrets:
        print(f"Only this machine can reach it. To let CallKaro's calls in: {CONNECT_COMMAND}")
        print(f"To see a board at work: {DEMO_COMMAND}")
    else:
        print(f"What to paste into CallKaro, and whether its reports arrive: {CONNECT_COMMAND}")
    print("Stop it with Ctrl-C.", flush=True)


def _refuse_open_board(settings: Settings) -> None:
    """A board that others can reach needs a secret and an account (decision 9)."""
    if settings.webhook_bind and not settings.webhook_secrets:
        raise CannotRun(
            "DASHBOARD_WEBHOOK_BIND is a door for tunnels, so it needs DASHBOARD_WEBHOOK_SECRET. "
            f"Make it with {CONNECT_COMMAND} and start again."
        )
    if settings.is_local:
        return
    missing = []
    if not settings.webhook_secrets:
        missing.append("DASHBOARD_WEBHOOK_SECRET (for example the output of `openssl rand -hex 24`)")
    if not settings.admin_password and not _has_account(settings):
        missing.append("DASHBOARD_ADMIN_PASSWORD (makes the account `admin`)")
    if missing:
        raise CannotRun(
            f"{_opened_by(settings)} says that others reach this board, so it needs " + " and ".join(missing) + ". "
            f"Make that with {CONNECT_COMMAND}, or set it yourself, and start again; or leave DASHBOARD_BIND, PORT "
            "and DASHBOARD_PUBLIC_URL unset, and the board is for this machine only."
        )


def _opened_by(settings: Settings) -> str:
    """The setting by which others reach the board, with its value where that is told apart by it."""
    if settings.public_url:
        return "DASHBOARD_PUBLIC_URL"
    return "PORT" if settings.port_given else f"DASHBOARD_BIND ({settings.bind})"


def _has_account(settings: Settings) -> bool:
    from dashboard.store.accounts import has_accounts

    database = _open(settings)
    try:
        return database.read_now(has_accounts)
    finally:
        database.close()


def _open(settings: Settings) -> Database:
    """The database, brought up to date. Raises CannotRun where there is none."""
    try:
        database = Database(settings.database_url)
    except OSError as problem:
        raise CannotRun(
            f"The folder of the database cannot be made: {problem.strerror}: {problem.filename}. "
            "Set DASHBOARD_DATA or DASHBOARD_DATABASE_URL to a place that this user may write to."
        ) from problem
    try:
        migrate(database)
    except CannotUse as problem:
        place = database.place
        database.close()
        raise CannotRun(f"The database {place} cannot be used. {problem}") from problem
    except (SQLAlchemyError, OSError) as problem:
        place = database.place
        database.close()
        raise CannotRun(
            f"The database {place} cannot be used: {cause_of(problem)}. "
            f"What is wrong with it, and how to mend that, says {PROGRAM} doctor"
        ) from problem
    except (NewerSchema, NotCopied):
        database.close()
        raise
    return database


def _migrate(_: argparse.Namespace) -> int:
    database = _open(Settings.from_env())
    print(f"The database {database.place} is up to date.")
    database.close()
    return 0


# What only calls on boards is loaded when it is asked for: `serve` does without, and reports wait for its start.


def _connect(options: argparse.Namespace) -> int:
    from dashboard.connect.command import connect

    return connect(options, _open)


def _doctor(_: argparse.Namespace) -> int:
    from dashboard.doctor.command import doctor

    return doctor()


def _user(options: argparse.Namespace) -> int:
    settings = Settings.from_env()
    return user(options, partial(_open, settings), settings.timezone)


def _token(options: argparse.Namespace) -> int:
    settings = Settings.from_env()
    return token(options, partial(_open, settings), settings.timezone)


def _forward(options: argparse.Namespace) -> int:
    settings = Settings.from_env()
    return forward(options, partial(_open, settings), settings.timezone)


def _recordings(options: argparse.Namespace) -> int:
    return recordings(options, partial(_open, Settings.from_env()))


def _demo(options: argparse.Namespace) -> int:
    from dashboard.simulator.demo import demo

    return asyncio.run(demo(options.bind))


def _simulate(options: argparse.Namespace) -> int:
    from dashboard.simulator.post import simulate

    return asyncio.run(simulate(options_from(options)))


def _import(options: argparse.Namespace) -> int:
    return import_file(options, _open)


def _rebuild(options: argparse.Namespace) -> int:
    settings = Settings.from_env()
    return rebuild(options, partial(_open, settings), settings)


def _backup(options: argparse.Namespace) -> int:
    settings = Settings.from_env()
    # As it is: a backup is made before an upgrade, too.
    return backup(options, Database(settings.database_url), settings)


def _restore(options: argparse.Namespace) -> int:
    settings = Settings.from_env()
    return restore(options, settings, partial(_open, settings))


def _prune(options: argparse.Namespace) -> int:
    settings = Settings.from_env()
    return prune(options, partial(_open, settings), settings)


def _erase(options: argparse.Namespace) -> int:
    settings = Settings.from_env()
    return erase_person(options, partial(_open, settings), settings)


if __name__ == "__main__":
    sys.exit(main())
