"""`python -m airssys_wasm`, and the script `airssys-wasm`."""

import sys
from typing import Final

_EXTRA: Final = {"click", "rich", "typer"}
_BAD_INPUT: Final = 2


def main() -> None:
    """Run the command line; without the extra `cli`, say how to get it."""
    try:
        from airssys_wasm.cli.app import app  # noqa: PLC0415 - only here is the extra needed
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.stderr.write(
            f"airssys-wasm: {exc.name} is missing; install the command line: pip install 'airssys-wasm[cli]'\n"
        )
        sys.exit(_BAD_INPUT)
    app()


if __name__ == "__main__":
    main()
