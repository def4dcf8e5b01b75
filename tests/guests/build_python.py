"""Builds the guest in ``python_guest/`` with componentize-py, which the development extra installs.

The component has some 18 MB and takes seconds to build, so it is made by the test run and not committed.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

GUESTS = Path(__file__).resolve().parent
WIT = GUESTS.parent.parent / "airssys_wasm" / "wit"


def build(out: Path, *, stub_wasi: bool = False) -> Path:
    """Builds the component and returns the path of the file written.

    Args:
        out: Where to write it; the folder is made if need be.
        stub_wasi: Replace the imports of WASI by functions that trap, so that the contract's are all that is left.

    Raises:
        ModuleNotFoundError: componentize-py is not installed for this Python.
        RuntimeError: componentize-py failed; the text is its output.
    """
    if importlib.util.find_spec("componentize_py") is None:
        message = "componentize-py is not installed: pip install componentize-py"
        raise ModuleNotFoundError(message, name="componentize_py")
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    code = "import sys, componentize_py; sys.exit(componentize_py.script())"
    command: list[str | Path] = [
        sys.executable,
        "-c",
        code,
        "--wit-path",
        WIT,
        "--world",
        "runtime-host",
        "componentize",
        "app",
    ]
    command += ["--python-path", GUESTS / "python_guest", "--output", out]
    command += ["--stub-wasi"] * stub_wasi
    done = subprocess.run(command, cwd=GUESTS / "python_guest", capture_output=True, text=True, check=False)
    if done.returncode or not out.exists():
        message = f"componentize-py failed:\n{done.stdout}{done.stderr}"
        raise RuntimeError(message)
    return out


if __name__ == "__main__":
    print(build(Path(sys.argv[1]) if len(sys.argv) > 1 else GUESTS / "_built" / "python_guest.wasm"))
