"""`ledger rules`: published whole, every version kept; tested, compared and tried out before."""

import difflib
import getpass
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
import yaml

from api.commands.connecting import Database, database, opened
from api.commands.console import note, say, show_table
from api.commands.options import PROGRAM, JsonOption, ProgramOption
from api.commands.running import FAILED, run
from api.documents import Marks, read_yaml_with_marks
from api.importing.mapping import shipped_or_file
from ledger.errors import NotFound
from ledger.examples import Ran, run_examples
from ledger.instants import EARLIEST, show
from ledger.rules import Rulebook, RulesDocument, RuleVersion, read_document
from ledger.rules.wording import differences
from ledger.settings import Settings

rules = typer.Typer(no_args_is_help=True, help="The rules of a program: published whole, every version kept.")

FileArgument = Annotated[Path, typer.Argument(help="A rules document in YAML or JSON, or the name of a shipped one.")]
_NAMED = "A file, or the number of a version."


@rules.command()
def publish(file: FileArgument, program: ProgramOption = PROGRAM) -> None:
    """Publish a rules document whose examples hold. A program that is not there is made; the same again changes nothing."""
    settings = Settings.from_environment()
    document, marks = read_yaml_with_marks(shipped_or_file(file))
    with database(settings) as at, marks.named():
        version, before = run(_publish(settings, at, program, document))
    if before == version.version:
        say(f"{program}: nothing has changed since version {before}")
    else:
        say(f"{program}: version {version.version}, {_since(version)}")


@rules.command("show")
def show_rules(
    program: ProgramOption = PROGRAM,
    version: Annotated[int | None, typer.Option(min=1, help="Which version; left out: the last one.")] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Print a program's rules."""
    settings = Settings.from_environment()
    with database(settings) as at:
        chosen = _version(run(_rulebook(settings, at, program)), version)
    note(f"{program}: version {chosen.version}, {_since(chosen)}")
    document = chosen.document.model_dump(mode="json", exclude_none=True)
    say(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() if as_json else _yaml(chosen.document).rstrip())


@rules.command("test")
def run_tests(file: FileArgument, *, as_json: JsonOption = False) -> None:
    """Run the examples kept in a rules document, without a database. Exit status 1: one of them does not hold."""
    document, marks = read_file(file)
    ran = run_examples(document)
    if as_json:
        say(
            orjson.dumps([{"name": one.name, "holds": one.holds, "mismatches": one.mismatches} for one in ran]).decode()
        )
    else:
        show_table(["line#", "example", "result", "expected", "found"], _rows(ran, marks))
        say()
        say(f"{file}: {len(ran)} examples, {sum(one.holds for one in ran)} of them hold")
    if not all(one.holds for one in ran):
        raise typer.Exit(FAILED)


@rules.command()
def diff(
    old: Annotated[str | None, typer.Argument(help=_NAMED + " Left out: the version before.")] = None,
    new: Annotated[str | None, typer.Argument(help=_NAMED + " Left out: the last version.")] = None,
    program: ProgramOption = PROGRAM,
    *,
    text: Annotated[bool, typer.Option("--text", help="Print the lines that differ, not what they mean.")] = False,
) -> None:
    """Say in words what changes for whom between two documents or versions. Exit status 1: something does.

    One FILE alone is compared with the program's last version. Two files need no database.
    """
    before, after = _compared(old, new, program)
    lines = _text_differences(*before, *after) if text else []
    changes = differences(before[1], after[1])
    for line in lines:
        say(line)
    if changes and not text:
        show_table(["what changes", "for whom"], changes, title=f"{before[0]} → {after[0]}")
    if lines or changes:
        raise typer.Exit(FAILED)


def read_file(file: Path) -> tuple[RulesDocument, Marks]:
    """A rules document of a file, and where its parts stand.

    Raises:
        FormError: every fault with its line and column.
    """
    document, marks = read_yaml_with_marks(shipped_or_file(file))
    with marks.named():
        return read_document(document), marks


Named = tuple[str, RulesDocument]


def _compared(old: str | None, new: str | None, program: str) -> tuple[Named, Named]:
    """The two documents that are compared, each with what it is called."""
    if old is not None and new is not None and not (old.isdigit() or new.isdigit()):
        return (old, read_file(Path(old))[0]), (new, read_file(Path(new))[0])
    settings = Settings.from_environment()
    with database(settings) as at:
        book = run(_rulebook(settings, at, program))
    if old is None:
        return _numbered(_version(book, max(1, book.latest.version - 1))), _numbered(book.latest)
    if new is None:
        one = _named(book, old)
        return (one, _numbered(book.latest)) if old.isdigit() else (_numbered(book.latest), one)
    return _named(book, old), _named(book, new)


def _named(book: Rulebook, text: str) -> Named:
    return _numbered(_version(book, int(text))) if text.isdigit() else (text, read_file(Path(text))[0])


def _numbered(version: RuleVersion) -> Named:
    return f"version {version.version}", version.document


def _rows(ran: list[Ran], marks: Marks) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for place, one in enumerate(ran):
        line = marks.at(f"/examples/{place}")[0]
        if one.holds:
            rows.append((line, one.name, "holds", "", ""))
        for number, mismatch in enumerate(one.mismatches):
            first = (line, one.name) if number == 0 else ("", "")
            rows.append((*first, f"{mismatch.what}: differs", _plain(mismatch.expected), _plain(mismatch.found)))
    return rows


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)


async def _publish(settings: Settings, at: Database, program: str, document: Any) -> tuple[RuleVersion, int | None]:
    """The version that holds now, and the one that did before."""
    async with opened(settings, at) as ledger:
        known = program in await ledger.programs()
        before = ledger.program(program).state.rules.latest.version if known else None
        return await ledger.publish(program, document, actor=f"cli:{getpass.getuser()}"), before


async def _rulebook(settings: Settings, at: Database, program: str) -> Rulebook:
    async with opened(settings, at) as ledger:
        return (await ledger.find(program)).state.rules


def _version(book: Rulebook, number: int | None) -> RuleVersion:
    if number is None:
        return book.latest
    for version in book.versions:
        if version.version == number:
            return version
    raise NotFound(f"There is no version {number}; the last one is {book.latest.version}.")


def _since(version: RuleVersion) -> str:
    return (
        "in force from ever" if version.effective_from == EARLIEST else f"in force from {show(version.effective_from)}"
    )


def _yaml(document: RulesDocument) -> str:
    return yaml.safe_dump(document.model_dump(mode="json", exclude_none=True), sort_keys=False, allow_unicode=True)


def _text_differences(old: str, before: RulesDocument, new: str, after: RulesDocument) -> list[str]:
    return list(difflib.unified_diff(_yaml(before).splitlines(), _yaml(after).splitlines(), old, new, lineterm=""))
