"""Components written as text (WAT): for tests, which say in ten lines what a guest does."""

from wasmtime import WasmtimeError, wat2wasm

from airssys_wasm.core.errors import InvalidComponent


def assemble(text: str) -> bytes:
    """The binary of a component, or of a core module, in the text format.

    Raises:
        InvalidComponent: The text has a mistake; the error says where.
    """
    try:
        return bytes(wat2wasm(text))
    except WasmtimeError as exc:
        raise InvalidComponent("component text", str(exc)) from exc
