"""The one engine setting that wasmtime-py does not offer by name."""

from wasmtime import Config, _bindings


def without_concurrency(config: Config) -> None:
    """Turn off support for component-model async: nothing here needs it, and calls cost a third less without."""
    _bindings.wasmtime_config_concurrency_support_set(config.ptr(), False)
