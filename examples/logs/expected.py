"""What the pipeline must report of a log, counted independently of its C sources: ``python expected.py FILE``.

Works from regular expressions and the standard library only, so that an error in a stage shows as a difference.
"""

import ipaddress
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

MAX_ROWS = 2048
MAX_PATH = 256

_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_LINE = re.compile(
    r"[^ ]+ [^ ]+ [^ ]+ \[\d\d/[A-Za-z]{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "
    rf"{_QUOTED} ([1-5]\d\d) (\d{{1,18}}|-)(?: {_QUOTED} {_QUOTED}(?: .*)?)?",
    re.DOTALL | re.ASCII,
)
_REQUEST = re.compile(r"[A-Za-z-]+ ([^ ?]*)(?:\?[^ ]*)? HTTP/[^ ]*", re.DOTALL)
_EMAIL = re.compile(r"[\w.+-]+(?:@|%40)[A-Za-z0-9-][A-Za-z0-9.-]*\.[A-Za-z]{2,}", re.ASCII)
_SECRET = re.compile(r"((?:token|key|password|passwd|pwd|secret)(?:=|%3D))[^\s&;\"]+", re.ASCII | re.IGNORECASE)
_ADDRESS = re.compile(r"(?<![\w.])[0-9A-Fa-f.:]{3,45}(?!\w)", re.ASCII)


def expected(lines: Iterable[bytes]) -> tuple[dict[str, Any], int]:
    """The report as a parsed JSON document, and the number of malformed lines."""
    rows: Counter[tuple[str, int]] = Counter()
    sizes: Counter[tuple[str, int]] = Counter()
    other: Counter[str] = Counter(requests=0, bytes=0)
    malformed = 0
    for line in lines:
        parsed = _parse(line)
        if parsed is None:
            malformed += 1
            continue
        path, status, size = parsed
        if (path, status) in rows or len(rows) < MAX_ROWS:
            rows[path, status] += 1
            sizes[path, status] += size
        else:
            other.update(requests=1, bytes=size)
            other[str(status)] += 1
    return _report(rows, sizes, other), malformed


def _parse(line: bytes) -> tuple[str, int, int] | None:
    try:
        text = line.removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        return None
    found = _LINE.fullmatch(text)
    request = found and _REQUEST.fullmatch(re.sub(r'\\(["\\])', r"\1", found[1]))
    if not found or not request or request[0].split(" ")[1] == "":
        return None
    size = 0 if found[3] == "-" else int(found[3])
    return _as_key(_redacted(request[1])), int(found[2]), size


def _redacted(path: str) -> str:
    path = _EMAIL.sub("[email]", path)
    path = _SECRET.sub(r"\1[redacted]", path)
    return _ADDRESS.sub(lambda found: "[ip]" if _is_address(found[0]) else found[0], path)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _as_key(path: str) -> str:
    """The path as written in JSON, cut to the length that the report keeps."""
    units = [json.dumps(char, ensure_ascii=ord(char) < ord(" "))[1:-1] for char in path]
    key = ""
    for unit in units:
        if len((key + unit).encode()) > MAX_PATH:
            break
        key += unit
    return key


def _report(rows: Counter[tuple[str, int]], sizes: Counter[tuple[str, int]], other: Counter[str]) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    statuses = Counter({status: count for status, count in other.items() if status.isdigit()})
    for (key, status), count in sorted(rows.items()):
        path = json.loads(f'"{key}"')
        entry = paths.setdefault(key, {"path": path, "requests": 0, "bytes": 0, "statuses": {}})
        entry["requests"] += count
        entry["bytes"] += sizes[key, status]
        entry["statuses"][str(status)] = count
        statuses[str(status)] += count
    ordered = sorted(paths.items(), key=lambda item: (-item[1]["requests"], item[0].encode()))
    return {
        "requests": rows.total() + other["requests"],
        "bytes": sizes.total() + other["bytes"],
        "statuses": dict(sorted(statuses.items())),
        "other": {"requests": other["requests"], "bytes": other["bytes"]},
        "paths": [entry for _, entry in ordered],
    }


def main() -> None:
    with Path(sys.argv[1]).open("rb") as file:
        report, malformed = expected(line.removesuffix(b"\n") for line in file)
    print(json.dumps(report, indent=1, ensure_ascii=False))
    print(f"{malformed} malformed lines", file=sys.stderr)


if __name__ == "__main__":
    main()
