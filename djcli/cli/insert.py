"""`djcli insert`: rows of a file into a table, all of them or none, or all but the bad ones."""

from __future__ import annotations

import shutil
import sys
from array import array
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from heapq import heappush, heappushpop
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated

import typer

from djcli.cli import console
from djcli.cli.bars import RowBar
from djcli.cli.failures import EXIT_ERROR
from djcli.cli.options import choice, count
from djcli.cli.workspace import TableArgument, open_workspace
from djcli.errors import DataJointError, LostConnectionError, SelectionError
from djcli.names import Tier, counted
from djcli.sql.insert import OnDuplicate
from djcli.tables.check import check_privileges, check_rows
from djcli.tables.encode import Problem
from djcli.tables.files.formats import FORMATS, format_of
from djcli.tables.files.rowfile import RowFile
from djcli.tables.insert import insert as insert_rows
from djcli.tables.table import Table

app = typer.Typer(rich_markup_mode=None)

_SHOWN = 20
"""Problems that are shown."""

FileFormatOption = Annotated[
    str | None,
    typer.Option("--format", metavar="|".join(FORMATS), help="What the file is, if its ending does not say."),
]
MapOption = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="COLUMN=ATTR", help="Which attribute a column holds. Can be repeated."),
]
DelimiterOption = Annotated[
    str | None,
    typer.Option(metavar="CHARACTER", help="What separates the columns of a CSV file: ';', '|', tab."),
]
RejectsOption = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Where --keep-going writes the bad rows [FILE.rejects.csv]."),
]


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be inserted where, and how.

    Attributes
    ----------
    table
        The table.
    file
        The rows.
    on_duplicate
        What to do with rows that are there already.
    ignore_extra
        Whether columns that are no attributes are passed over.
    """

    table: type[Table]
    file: RowFile
    on_duplicate: OnDuplicate
    ignore_extra: bool

    def insert(self, bar: RowBar) -> int:
        """Insert the rows and return how many, those aside that were passed over."""
        table = self.table()
        return insert_rows(
            table.instance,
            table.model,
            replace(self.file, follow=bar.step),
            on_duplicate=self.on_duplicate,
            ignore_extra_fields=self.ignore_extra,
        )


@dataclass(slots=True)
class Findings:
    """The bad rows of a file: all numbers, and of the first ones what is wrong.

    Attributes
    ----------
    most
        How many problems are kept.
    numbers
        The numbers of the bad rows.
    header
        What is wrong with the header, and so with every row.
    rows
        How many rows were looked at.
    """

    most: int
    numbers: array[int] = field(default_factory=lambda: array("q"))
    header: list[Problem] = field(default_factory=list[Problem])
    rows: int = 0
    _first: list[tuple[int, int, Problem]] = field(default_factory=list[tuple[int, int, Problem]])
    _count: int = 0

    def add(self, problem: Problem) -> None:
        """Take note of a problem."""
        if problem.is_of_header:
            self.header.append(problem)
            return
        self.numbers.append(problem.number)
        self._count += 1
        item = (-problem.number, -self._count, problem)
        if len(self._first) < self.most:
            heappush(self._first, item)
        elif self.most:
            heappushpop(self._first, item)

    def close(self, rows: int) -> None:
        """Sort the numbers; each counts once."""
        self.rows = rows
        self.numbers = array("q", sorted(set(self.numbers)))

    @property
    def first(self) -> list[Problem]:
        """The problems of the first rows, in their order."""
        return [problem for _, _, problem in sorted(self._first, reverse=True)]

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.numbers or self.header)


@app.command("insert")
def insert(
    ctx: typer.Context,
    table: TableArgument,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The file with the rows; - is standard input.")],
    format_: FileFormatOption = None,
    mapping: MapOption = None,
    delimiter: DelimiterOption = None,
    skip_duplicates: Annotated[
        bool, typer.Option("--skip-duplicates", help="Pass over rows whose key is there already.")
    ] = False,
    replace_: Annotated[
        bool, typer.Option("--replace", help="Replace rows whose key is there already.")
    ] = False,
    ignore_extra: Annotated[
        bool, typer.Option("--ignore-extra", help="Pass over columns that are no attributes.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every row, insert none.")] = False,
    keep_going: Annotated[
        bool,
        typer.Option("--keep-going", help="Insert the good rows, and write the bad ones to a file."),
    ] = False,
    rejects: RejectsOption = None,
    max_errors: Annotated[
        str | None, typer.Option("--max-errors", metavar="N", help="Show at most so many problems [20].")
    ] = None,
    direct: Annotated[
        bool, typer.Option("--allow-direct-insert", help="Also into a Computed or Imported table.")
    ] = False,
) -> None:
    """Insert the rows of a file: all of them, or none.

    CSV: the first line names the columns. An empty field is a missing value (null, or the default); a
    quoted empty one ("") is an empty text, and so is an empty field of a text that must have a value. Blobs
    and other codecs' values cannot come from CSV.
    """
    if skip_duplicates and replace_:
        raise typer.BadParameter("give --skip-duplicates or --replace, not both")
    if rejects and not keep_going:
        raise typer.BadParameter("--rejects goes with --keep-going")
    if format_ is not None:
        choice("--format", format_, FORMATS)
    most = count("--max-errors", max_errors)
    mode = OnDuplicate.REPLACE if replace_ else OnDuplicate.SKIP if skip_duplicates else OnDuplicate.REFUSE
    renamed = _renamed(mapping)
    character = _delimiter(delimiter)
    _check_file(file, format_)
    target = _rejects(file, format_, rejects) if keep_going else None
    work = open_workspace(ctx)
    found = work.find(table, to_change=True)
    maker = found.master if found.tier is Tier.PART else found
    if maker.tier.is_auto and not direct:
        raise DataJointError(
            f"{found.class_label} is computed: its rows come from make(), run: djcli populate {maker.class_label}; "
            "to insert them from a file all the same, add --allow-direct-insert"
        )
    work.declared([found], named=[found])
    with _at_hand(file) as path:
        rows = RowFile(path, format_ or format_of(Path(file)), _shown(file), renamed, character)
        task = Task(found, rows, mode, ignore_extra)
        if dry_run:
            _dry_run(task, _SHOWN if most is None else most)
        else:
            _run(task, _SHOWN if most is None else most, target)


# ---- what was typed -------------------------------------------------------------------------------------


def _renamed(mapping: list[str] | None) -> dict[str, str]:
    renamed: dict[str, str] = {}
    for text in mapping or ():
        column, equals, attribute = text.rpartition("=")
        column, attribute = column.strip(), attribute.strip()
        if not (equals and column and attribute):
            raise typer.BadParameter(f"{text!r} is not COLUMN=ATTR", param_hint="--map")
        if column in renamed:
            raise typer.BadParameter(f"column {column!r} is given twice", param_hint="--map")
        renamed[column] = attribute
    return renamed


def _delimiter(text: str | None) -> str | None:
    if text is None:
        return None
    character = "\t" if text in ("tab", "\\t") else text
    if len(character) != 1 or character in '"\r\n':
        raise typer.BadParameter(f"{text!r} is not one character, nor tab", param_hint="--delimiter")
    return character


def _check_file(file: str, format_: str | None) -> None:
    if file == "-":
        if format_ is None:
            raise typer.BadParameter(
                f"standard input has no ending: add --format {'|'.join(FORMATS)}", param_hint="FILE"
            )
        return
    path = Path(file)
    if path.is_dir():
        raise SelectionError(f"{file} is a folder: name a file of rows")
    if not path.exists():
        raise SelectionError(f"there is no file {file}")
    if format_ is None:
        try:
            format_of(path)
        except DataJointError as error:
            raise typer.BadParameter(f"{error}, or add --format", param_hint="FILE") from None


def _rejects(file: str, format_: str | None, named: str | None) -> Path:
    """Return where bad rows go; a file there is left alone unless it was named."""
    if named is not None:
        if file != "-" and Path(named).resolve() == Path(file).resolve():
            raise typer.BadParameter(f"{named} is the file that is read", param_hint="--rejects")
        return Path(named)
    source = Path(f"stdin.{format_}" if file == "-" else file)
    path = source.with_name(f"{source.stem}.rejects{source.suffix}")
    if path.exists():
        raise DataJointError(
            f"{path} exists, of an earlier run: move it away, or name another with --rejects"
        )
    return path


def _shown(file: str) -> str:
    return "standard input" if file == "-" else Path(file).name


@contextmanager
def _at_hand(file: str) -> Generator[Path]:
    """Yield the path of a file that can be read more than once; what a pipe gives is kept in one meanwhile."""
    if file != "-" and Path(file).is_file():
        yield Path(file)
        return
    with NamedTemporaryFile(prefix="djcli-") as kept:
        with nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as source:
            shutil.copyfileobj(source, kept)
        kept.flush()
        yield Path(kept.name)


# ---- inserting ------------------------------------------------------------------------------------------


def _run(task: Task, most: int, target: Path | None) -> None:
    """Insert; if anything is wrong, find all that is, and say it."""
    label = task.table.class_label
    try:
        with RowBar(label) as bar:
            inserted = task.insert(bar)
    except LostConnectionError:
        raise
    except DataJointError as error:
        findings = _find(task, most)
        if not findings:
            raise
        if target is None or findings.header or len(findings.numbers) >= findings.rows:
            _tell(task, findings)
            raise typer.Exit(EXIT_ERROR) from error
        _insert_good(task, findings, target)
        raise typer.Exit(EXIT_ERROR) from error
    console.note(_told(task, inserted, bar.rows) if bar.rows else _nothing(task))


def _insert_good(task: Task, findings: Findings, target: Path) -> None:
    """Insert all but the bad rows; these are written first, so that none is ever lost."""
    with target.open("wb") as file:
        task.file.copy_rows(findings.numbers, file)
    good = replace(task, file=replace(task.file, without=findings.numbers))
    try:
        with RowBar(task.table.class_label) as bar:
            inserted = good.insert(bar)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    bad = len(findings.numbers)
    _list(task, findings)
    console.note(_told(task, inserted, findings.rows - bad))
    console.note(f"{counted(bad, 'bad row')} written to {target}: mend and insert that file")


def _dry_run(task: Task, most: int) -> None:
    check_privileges(task.table().connection, task.table().model, task.on_duplicate)
    findings = _find(task, most)
    if findings:
        _tell(task, findings)
        raise typer.Exit(EXIT_ERROR)
    console.note(
        f"all {counted(findings.rows, 'row')} of {task.file.shown} would go into {task.table.class_label}"
        if findings.rows
        else _nothing(task)
    )


def _find(task: Task, most: int) -> Findings:
    findings = Findings(most)
    with RowBar(f"checking {task.table.class_label}") as bar:
        rows = check_rows(
            task.table().connection,
            task.table().model,
            replace(task.file, follow=bar.step),
            findings.add,
            ignore_extra_fields=task.ignore_extra,
            on_duplicate=task.on_duplicate,
        )
    findings.close(rows)
    return findings


def _tell(task: Task, findings: Findings) -> None:
    name = task.file.shown
    if findings.header:
        for problem in findings.header:
            console.error(f"{name}: {problem.message}{_advice(problem)}")
        return
    bad = len(findings.numbers)
    console.error(
        f"nothing was inserted into {task.table.class_label}: {bad} of {counted(findings.rows, 'row')} "
        f"of {name} {'is' if bad == 1 else 'are'} bad"
    )
    _list(task, findings)


def _advice(problem: Problem) -> str:
    """Return what to type, where a column is not an attribute."""
    if problem.error.__name__ == "UnknownAttributeError":
        return f"; --map '{problem.attribute}=ATTR' says which it is, --ignore-extra passes over it"
    return ""


def _list(task: Task, findings: Findings) -> None:
    first = findings.first
    for problem in first:
        console.note(f"  {task.file.unit} {problem.number}: {problem.message}")
    bad = set(findings.numbers) - {problem.number for problem in first}
    if bad:
        console.note(f"  and {counted(len(bad), 'more bad row')} (--max-errors shows more)")


def _told(task: Task, inserted: int, rows: int) -> str:
    passed_over = rows - inserted if task.on_duplicate is OnDuplicate.SKIP else 0
    more = f", passed over {passed_over} whose key is there already" if passed_over else ""
    return f"inserted {counted(rows - passed_over, 'row')} into {task.table.class_label}{more}"


def _nothing(task: Task) -> str:
    return f"{task.file.shown} has no rows: nothing was inserted"
