"""Who is there, by id and by handle."""

import pytest

from airssys_wasm.core.errors import AlreadyLoaded, ComponentNotFound, TargetNotFound
from airssys_wasm.core.ids import ComponentHandle, ComponentId
from tests.actor.bench import Bench, component


async def test_an_id_is_reserved_for_one_load_at_a_time(bench: Bench) -> None:
    """A second one fails before it compiles; a failed load gives the id back."""
    registry = bench.supervisor.registry
    registry.reserve(component())
    with pytest.raises(AlreadyLoaded, match="demo/a/0"):
        registry.reserve(component())
    registry.release(component())
    registry.reserve(component())
    await bench.start()
    registry.release(component())
    with pytest.raises(AlreadyLoaded):
        registry.reserve(component())


async def test_a_child_is_found_until_it_is_gone(bench: Bench) -> None:
    """By its handle and by its id; the reason of a refusal names what was looked for."""
    registry, gone = bench.supervisor.registry, list[ComponentId]()
    registry.on_gone = gone.append
    child = await bench.start()
    assert child is registry.by_handle(child.handle) is registry.by_id(component())
    assert [child] == list(registry)
    assert (component(),) == registry.ids()
    await bench.supervisor.stop_child(child)
    assert ([component()], 0) == (gone, len(registry))
    with pytest.raises(ComponentNotFound, match="demo/a/0"):
        registry.by_handle(child.handle)
    with pytest.raises(TargetNotFound, match="demo/a/0"):
        registry.by_id(component())


async def test_a_handle_is_its_number_and_its_id(bench: Bench) -> None:
    """A handle of another supervisor may have the same number."""
    child = await bench.start()
    stranger = ComponentHandle(component("other"), child.handle.handle_id)
    assert None is bench.supervisor.registry.find(stranger)


async def test_of_several_with_one_id_the_first_is_found_by_it(bench: Bench) -> None:
    """The others by their handles only; the end of one of them does not free the id."""
    first, second = await bench.start(), await bench.start()
    registry = bench.supervisor.registry
    assert first is registry.get(component())
    await bench.supervisor.stop_child(second)
    assert first is registry.get(component())
