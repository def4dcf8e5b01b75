"""wasmtime's C API as the runtime uses it, with nothing of the runtime on top but its prototypes and codecs."""

import ctypes
from collections.abc import Callable
from ctypes import c_void_p
from typing import Any, Self

from wasmtime import Config, Engine
from wasmtime.component import Component, Linker

from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.codec import codec_for
from airssys_wasm.runtime.abi.component import compile_component
from airssys_wasm.runtime.abi.pace import Lifting
from airssys_wasm.runtime.abi.places import Places
from airssys_wasm.runtime.abi.settings import without_concurrency
from airssys_wasm.runtime.abi.types import FuncType
from airssys_wasm.runtime.abi.values import Keep, Value, address_of

FOREVER = 1 << 40
"""Ticks that never come."""


class BareEngine:
    """An engine and an empty linker."""

    def __init__(self, *, metered: bool = False, concurrency: bool = False) -> None:
        config = Config()
        config.wasm_component_model = True
        config.epoch_interruption = True
        config.consume_fuel = metered
        if not concurrency:
            without_concurrency(config)
        self.engine = Engine(config)
        self.linker = Linker(self.engine)
        self._keep = list[object]()

    def compile(self, data: bytes) -> Component:
        """Compile a binary."""
        return compile_component(self.engine, data)

    def tick(self, count: int = 1) -> None:
        """Move the epoch on."""
        for _ in range(count):
            capi.increment_epoch(capi.address(self.engine.ptr()))

    def define(self, interface: str, functions: dict[str, Callable[..., None]]) -> None:
        """Define host functions from C callbacks."""
        root, out = capi.linker_root(capi.address(self.linker.ptr())), c_void_p()
        try:
            must(capi.linker_add_instance(root, interface.encode(), len(interface), ctypes.addressof(out)))
            for name, function in functions.items():
                callback = capi.HOST_CALLBACK(function)
                self._keep.append(callback)
                must(capi.linker_add_func_async(out, name.encode(), len(name), callback, None, None))
            capi.linker_instance_delete(out)
        finally:
            capi.linker_instance_delete(root)


class Future:
    """A call or an instantiation under way."""

    def __init__(self, address: int, error: c_void_p, keep: object) -> None:
        self.address, self._error, self._keep = address, error, keep

    def poll(self) -> bool:
        """Poll once; True at the end."""
        return bool(capi.future_poll(self.address))

    def delete(self) -> str | None:
        """Delete it; the text of its error."""
        capi.future_delete(self.address)
        error, self._error.value = self._error.value, None
        return capi.take_error(error)

    def finish(self) -> str | None:
        """Poll to the end and delete."""
        while not self.poll():
            pass
        return self.delete()


class BareStore:
    """A Store with one instance, its bounds set only where asked for."""

    def __init__(self, engine: BareEngine, component: Component, *, data: int = 0) -> None:
        self.engine, self.component = engine, component
        self.store = capi.store_new(capi.address(engine.engine.ptr()), data, None)
        self.context = capi.store_context(self.store)
        self.instance = ctypes.create_string_buffer(capi.INSTANCE_BYTES)
        self.result = Places()
        self.error = c_void_p()

    @classmethod
    def ready(cls, engine: BareEngine, data: bytes) -> Self:
        """A Store that yields at epochs and has its instance."""
        store = cls(engine, engine.compile(data))
        store.yield_every(FOREVER)
        assert store.instantiate().finish() is None
        return store

    def yield_every(self, ticks: int) -> None:
        """Yield after that many ticks from now on, counted from now."""
        capi.context_yield_at_epoch(self.context, ticks)
        capi.context_set_epoch_deadline(self.context, ticks)

    def instantiate(self) -> Future:
        """Begin to make the instance."""
        future = capi.instantiate_async(
            capi.address(self.engine.linker.ptr()),
            self.context,
            capi.address(self.component.ptr()),
            ctypes.addressof(self.instance),
            ctypes.addressof(self.error),
        )
        return Future(future, self.error, self)

    def function(self, name: str) -> Any:
        """A function of the instance."""
        index = capi.get_export_index(capi.address(self.component.ptr()), None, name.encode(), len(name))
        func = ctypes.create_string_buffer(capi.FUNC_BYTES)
        found = capi.instance_get_func(ctypes.addressof(self.instance), self.context, index, ctypes.addressof(func))
        capi.export_index_delete(index)
        assert found
        return func

    def begin(self, name: str, images: bytes | bytearray = b"", *, results: int = 1, keep: object = None) -> Future:
        """Begin a call; a bytearray of images can be changed afterwards."""
        func = self.function(name)
        if isinstance(images, bytearray):
            held: Any = (ctypes.c_char * len(images)).from_buffer(images)
            start = ctypes.addressof(held)
        else:
            held, start = images, address_of(images)
        future = capi.func_call_async(
            ctypes.addressof(func),
            self.context,
            start,
            len(images) // capi.VAL_BYTES,
            ctypes.addressof(self.result),
            results,
            ctypes.addressof(self.error),
        )
        return Future(future, self.error, (self, func, held, keep))

    def call(self, name: str, kind: FuncType, *values: Value) -> Value:
        """Call to the end; raises AssertionError with wasmtime's text."""
        keep = Keep()
        codecs = [codec_for(of) for _, of in kind.params]  # images point to the names that a codec holds
        images = b"".join(codec.lower(value, keep) for codec, value in zip(codecs, values, strict=True))
        text = self.begin(name, images, results=int(kind.result is not None), keep=keep).finish()
        assert text is None, text
        return self.lift(kind)

    def lift(self, kind: FuncType) -> Value:
        """Read the result slot."""
        return None if kind.result is None else codec_for(kind.result).lift(self.result.result(), Lifting())

    def close(self) -> None:
        """Delete the Store."""
        store, self.store = self.store, 0
        if store:
            capi.store_delete(store)


def must(error: int | None) -> None:
    """Fail on an error of wasmtime's."""
    text = capi.take_error(error)
    assert text is None, text
