"""Any graph of links, and any crashes: who is ended is who can be reached."""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.actor.restarts import RestartPolicy
from airssys_wasm.core.observations import ActorState
from tests.actor.bench import component, opened

NAMES = "abcdef"
PAIRS: Any = st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES))


@given(st.lists(PAIRS, max_size=9), st.lists(st.sampled_from(NAMES), min_size=1, max_size=6), st.booleans())
def test_any_links_against_a_naive_closure(pairs: list[tuple[str, str]], crashes: list[str], at_once: bool) -> None:
    """Of each crash: who is ended is who can be reached, once; everybody runs again afterwards."""

    async def run() -> None:
        policy = RestartPolicy(intensity=99, backoff_initial=0.0 if at_once else 0.1, backoff_factor=1.0)
        async with opened() as bench:
            children = {name: await bench.start(name, policy=policy) for name in NAMES}
            for pair in pairs:
                bench.supervisor.links.join(component(pair[0]), component(pair[1]))
            expected = dict.fromkeys(NAMES, 0)
            for name in crashes:
                reached = {name}
                for _ in NAMES:
                    reached |= {there for pair in pairs for there in pair if reached & set(pair)}
                await bench.crash(children[name])
                await bench.clock.advance(0.2)
                for each in reached:
                    expected[each] += 1
                assert expected == {each: child.restarts for each, child in children.items()}
                assert {ActorState.RUNNING} == {child.state for child in children.values()}
            assert len(crashes) == sum(child.crashes for child in children.values())

    asyncio.run(run())
