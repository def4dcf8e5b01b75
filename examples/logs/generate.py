"""Writes an access log in the combined format: ``python generate.py LINES [--seed N] [--malformed RATE] [--paths N]``.

The same arguments give the same bytes on every machine. ``expected.py`` computes what the pipeline must report.
"""

import argparse
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

START = datetime(2025, 3, 1, 6, 0, tzinfo=UTC)
METHODS = ("GET", "GET", "GET", "GET", "GET", "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS")
STATUSES = (200, 200, 200, 200, 200, 200, 200, 304, 304, 206, 301, 302, 400, 401, 403, 404, 404, 499, 500, 502, 503)
PATHS = (
    "/",
    "/index.html",
    "/favicon.ico",
    "/robots.txt",
    "/static/app.js",
    "/static/style.css",
    "/images/logo.svg",
    "/api/v1/orders",
    "/api/v1/orders/{n}",
    "/api/v1/users/{email}/avatar",
    "/admin/hosts/{ip}/reboot",
    "/wp-login.php",
    "/suche/größe",
    "/files/a%20b.pdf",
    '/odd/\\"quoted\\"',
)
QUERIES = (
    "",
    "",
    "",
    "?page={n}",
    "?token={secret}",
    "?api_key={secret}&page={n}",
    "?user={email}&password={secret}",
    "?next=http://{ip}/",
    "?",
)
REFERERS = (
    "-",
    "-",
    "https://example.com/",
    "https://search.example.org/?q=airssys",
    "https://shop.example.com/cart?session_token={secret}",
    "http://[{ip6}]:8080/",
)
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "curl/8.9.1",
    "Googlebot/2.1 (+http://www.google.com/bot.html)",
    "-",
    'odd \\"agent\\" (contact {email})',
)
MALFORMED = (
    "",
    "not a log line at all",
    '{ip} - - [{time}] "-" 408 -',
    '{ip} - - [{time}] "\\x16\\x03\\x01\\x02" 400 157 "-" "-"',
    '{ip} - - [{time}] "GET / HTTP/1.1" OK 12 "-" "-"',
    '{ip} - - [{time}] "GET / HTTP/1.1" 200 12kB "-" "-"',
    '{ip} - - [yesterday] "GET / HTTP/1.1" 200 12 "-" "-"',
    '{ip} - - [{time}] "GET /cut/off HTTP/1.1" 200 12 "-" "Mozi',
)


def lines(count: int, seed: int = 1, malformed: float = 0.02, paths: int = 200) -> Iterator[str]:
    """Yields log lines without their newline.

    Args:
        count: How many.
        seed: Of the random numbers.
        malformed: The share of lines that are no log lines, 0.0 to 1.0.
        paths: How many different numbers the numbered paths have.
    """
    rng = random.Random(seed)  # noqa: S311  # sample data guards no secret
    now = START
    for _ in range(count):
        now += timedelta(milliseconds=rng.randrange(2000))
        values = _values(rng, now, paths)
        template = rng.choice(MALFORMED) if rng.random() < malformed else _template(rng)
        yield template.format_map(values)


def _values(rng: random.Random, now: datetime, paths: int) -> dict[str, object]:
    return {
        "n": int(paths * rng.random() ** 3),
        "ip": ".".join(str(rng.randrange(1, 255)) for _ in range(4)),
        "ip6": f"2001:db8:{rng.randrange(65536):x}::{rng.randrange(1, 65536):x}",
        "email": f"{rng.choice(('ann', 'bob.b', 'eve+x'))}{rng.randrange(30)}@mail.example.com",
        "secret": f"{rng.getrandbits(64):016x}",
        "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
    }


def _template(rng: random.Random) -> str:
    host = rng.choice(("{ip}", "{ip}", "{ip}", "{ip6}", "host.example.net"))
    user = rng.choice(("-", "-", "-", "ann", "{email}"))
    target = rng.choice(PATHS) + rng.choice(QUERIES)
    size = rng.choice(("-", "0", str(rng.randrange(100_000)), str(rng.randrange(100_000))))
    request = f"{rng.choice(METHODS)} {target} HTTP/{rng.choice(('1.0', '1.1', '2.0'))}"
    line = f'{host} - {user} [{{time}}] "{request}" {rng.choice(STATUSES)} {size}'
    if rng.random() < 0.1:  # noqa: PLR2004  # a tenth in the common format, which ends here
        return line
    return f'{line} "{rng.choice(REFERERS)}" "{rng.choice(AGENTS)}"'


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes a sample access log to stdout.")
    parser.add_argument("lines", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--malformed", type=float, default=0.02)
    parser.add_argument("--paths", type=int, default=200)
    arguments = parser.parse_args()
    out = sys.stdout.buffer
    for line in lines(arguments.lines, arguments.seed, arguments.malformed, arguments.paths):
        out.write(line.encode() + b"\n")


if __name__ == "__main__":
    main()
