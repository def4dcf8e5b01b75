"""How times and names are written where people and programs read them (pure)."""

from datetime import UTC, datetime


def stamp(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC; as a plain number where the calendar ends."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, OSError, ValueError):
        return repr(seconds)


def quoted(text: str) -> str:
    """A text as a basic string of TOML 1.0; what is not printable is escaped, so that it cannot pose as anything else.

    Invisible characters, terminal escapes and marks that turn the direction of writing are not printable.
    """
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"  # noqa: PLR2004 - what four digits hold
