"""Engine settings that wasmtime-py does not offer by name."""

from wasmtime import Config, _bindings


def without_concurrency(config: Config) -> None:
    """Turn off support for component-model async: nothing here needs it, and calls cost a third less without."""
    _bindings.wasmtime_config_concurrency_support_set(config.ptr(), False)


def for_small_memories(config: Config) -> None:
    """Have memories take no address space beyond their size, and no map of their own where they lie side by side.

    Code then checks each access, and a memory that grows is copied.
    """
    pointer = config.ptr()
    _bindings.wasmtime_config_memory_reservation_set(pointer, 0)
    _bindings.wasmtime_config_memory_guard_size_set(pointer, 0)
    _bindings.wasmtime_config_memory_reservation_for_growth_set(pointer, 0)
    _bindings.wasmtime_config_memory_init_cow_set(pointer, False)
