import asyncio

from airssys_wasm.actor.turnstile import IN_ONE_TURN, Turnstile


async def test_a_few_are_let_in_each_turn_in_their_order() -> None:
    """A hundred that come at once take twenty-five turns, in which everybody else has his."""
    turnstile, done, seen = Turnstile(), list[int](), list[int]()
    for number in range(100):
        turnstile.enter(lambda number=number: done.append(number))  # type: ignore[misc]
    assert [] == done
    while len(done) < 100:
        await asyncio.sleep(0)
        seen.append(len(done))
    assert list(range(100)) == done
    assert IN_ONE_TURN == max(after - before for before, after in zip([0, *seen], seen, strict=False))


async def test_who_comes_alone_waits_for_one_turn() -> None:
    """Also after others, and also who comes out of another's turn."""
    turnstile, done = Turnstile(), list[str]()
    for _ in range(3):
        turnstile.enter(lambda: turnstile.enter(lambda: done.append("inner")))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert ["inner"] * 3 == done
