"""The entry point of the `djcli` command: the version at once, the rest in `app`."""

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    if sys.argv[1:] == ["--version"]:
        from djcli.version import __version__  # lazy: start-up time, as below

        sys.stdout.write(f"djcli {__version__}\n")  # `console` would take longer than all the rest
        return
    from djcli.cli.app import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
