"""What a command works with: the settings with the options on top, the database, the pipelines."""

from __future__ import annotations

import typer

from djcli.cli.options import shared
from djcli.settings import DatabaseTarget, config, database_target


def choose_database(ctx: typer.Context) -> DatabaseTarget:
    """Read the settings anew, put the shared options on top, and return the database they name.

    Raises
    ------
    typer.BadParameter
        If both an address and a profile are given.
    ConfigError
        If a setting is wrong.
    """
    options = shared(ctx)
    if options.db_url and options.profile:
        raise typer.BadParameter("give either --db-url or --profile, not both")
    config.forget()
    if options.db_url:
        config.set("database.url", options.db_url, "--db-url")
    if options.profile:
        config.set("database.profile", options.profile, "--profile")
    return database_target()
