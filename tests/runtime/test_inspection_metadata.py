"""What `inspect` tells of a component besides its imports and exports."""

from airssys_wasm import ActorSystem, ComponentId, ComponentMetadata
from tests.guests.wat import lifecycle
from tests.runtime.guests import binary


async def test_inspect_and_statistics_show_the_metadata() -> None:
    """Read from the component itself; both say the same, before and after `initialize`."""
    async with ActorSystem() as system:
        report = await system.inspect(binary("counter"))
        assert isinstance(report.metadata, ComponentMetadata)
        assert ("counter", "1.0.0", True) == (report.metadata.name, report.metadata.version, report.metadata.stateful)
        counter = await system.load(ComponentId("demo", "counter", "0"), binary("counter"))
        assert report.metadata == counter.statistics().metadata == counter.metadata


async def test_a_component_that_traps_in_metadata_is_inspected_without_it() -> None:
    """What it imports and exports is known all the same, and nothing is left of the instance."""
    async with ActorSystem() as system:
        report = await system.inspect(lifecycle())
        assert (True, None) == (report.fits, report.metadata)
        assert {} == system.statistics().components
