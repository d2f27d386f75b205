"""`djcli db`: start, stop and inspect the embedded PostgreSQL server."""

from __future__ import annotations

import typer

from djcli.cli import console
from djcli.cli.options import FormatOption, is_json
from djcli.cli.workspace import choose_database
from djcli.database.connection import Connection
from djcli.database.embedded import EmbeddedServer, ServerStatus
from djcli.errors import ServerError
from djcli.settings import DatabaseTarget, without_password

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def db() -> None:
    """Manage the embedded PostgreSQL server."""


@app.command()
def start(ctx: typer.Context) -> None:
    """Start the server, unless it runs already."""
    server = _embedded(choose_database(ctx))
    console.out(f"started, its data is in {server.folder}" if server.start() else "runs already")


@app.command()
def stop(ctx: typer.Context) -> None:
    """Stop the server; open transactions are rolled back."""
    console.out("stopped" if _embedded(choose_database(ctx)).stop() else "was not running")


@app.command()
def status(
    ctx: typer.Context,
    format_: FormatOption = "table",
) -> None:
    """Say whether the server runs, and where its things are. Starts nothing."""
    as_json = is_json(format_)
    target = choose_database(ctx)
    facts = _other_facts(target) if target.folder is None else _facts(EmbeddedServer(target.folder).status())
    if as_json:
        console.json(facts)
    else:
        console.pairs((name, _shown(name, value)) for name, value in facts.items() if value is not None)


@app.command()
def url(ctx: typer.Context) -> None:
    """Print the address of the database, for psql and other programs. Starts nothing."""
    target = choose_database(ctx)
    console.out(target.url if target.url is not None else _embedded(target).url())


def _embedded(target: DatabaseTarget) -> EmbeddedServer:
    if target.folder is None:
        raise ServerError(
            f"the database is elsewhere ({target.origin}): djcli starts and stops only the embedded server"
        )
    return EmbeddedServer(target.folder)


def _facts(state: ServerStatus) -> dict[str, object]:
    return {
        "running": state.running,
        "version": state.version,
        "pid": state.pid,
        "started": state.started.isoformat() if state.started else None,
        "data": str(state.data),
        "size": state.size,
        "socket": str(state.socket),
        "log": str(state.log),
    }


def _other_facts(target: DatabaseTarget) -> dict[str, object]:
    connection = Connection(target)
    try:
        version = connection.raw.info.parameter_status("server_version")
    finally:
        connection.close()
    address = without_password(target.url or "")
    return {"running": True, "version": version, "address": address, "setting": target.origin}


def _shown(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "size" and isinstance(value, int):
        return f"{value / 1_000_000:.1f} MB"
    return str(value)
