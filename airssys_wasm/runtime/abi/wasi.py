"""An empty WASI for one Store: no arguments, environment, files or network, stdin closed, output to callbacks."""

from collections.abc import Callable

from wasmtime import WasiConfig

from airssys_wasm.runtime.abi import capi


def give_empty_wasi(context: int, stdout: Callable[[bytes], None], stderr: Callable[[bytes], None]) -> None:
    """Set up WASI in a Store before its component is instantiated.

    The callbacks get what the guest writes, on the thread that polls the guest, and must not raise.
    """
    config = WasiConfig()
    config.stdout_custom = stdout
    config.stderr_custom = stderr
    error = capi.context_set_wasi(context, capi.address(config._consume()))
    text = capi.take_error(error)
    if text is not None:
        raise RuntimeError(text)
