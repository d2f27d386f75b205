"""The entry point of the `djcli` command: the version at once, the rest in `app`."""

import os
import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    _open_closed_streams()
    if sys.argv[1:] == ["--version"]:
        from djcli.version import __version__  # lazy: start-up time, as below

        sys.stdout.write(f"djcli {__version__}\n")  # `console` would take longer than all the rest
        return
    from djcli.cli.app import run

    sys.exit(run(sys.argv[1:]))


def _open_closed_streams() -> None:
    """Read from and write to nowhere where a standard stream is closed, so that no other file takes its number."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8"))


if __name__ == "__main__":
    main()
