"""WIT names as Python names: `first-name` is `first_name`, `FirstName` or `FIRST_NAME` (pure).

No two WIT names of one scope differ by case alone, so that none is lost on the way. What is a keyword in Python gets an
underscore behind it.
"""

import keyword
from typing import Final

OF_HANDLES: Final = frozenset({"drop", "resource", "usable"})
"""What every handle to a guest's resource has, whatever the resource has."""


def snake(name: str) -> str:
    """The name of a function, parameter or field."""
    return _free(name.replace("-", "_").lower())


def pascal(name: str) -> str:
    """The name of a type."""
    return _free("".join(word[:1].upper() + word[1:].lower() for word in name.split("-")))


def handle_name(name: str) -> str:
    """The name of a resource's method on a handle to it, which has some of its own."""
    return snake(name) + "_" * (snake(name) in OF_HANDLES)


def method_name(name: str) -> str:
    """The name of a method by what it is called on a handle."""
    return name.removesuffix("_") if name.removesuffix("_") in OF_HANDLES else name


def upper(name: str) -> str:
    """The name of a member of an enum or of flags."""
    return name.replace("-", "_").upper()


def _free(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name
