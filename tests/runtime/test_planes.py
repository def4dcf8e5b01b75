"""7-bit planes: the module in WebAssembly against a few lines of Python."""

import ctypes
import random
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.runtime.abi import planes as planes_of
from airssys_wasm.runtime.abi.planes import LEAST_BYTES, Lease, Planes, PlanesPool, packed_chars

VECTOR, VECTORS = 16, 7


@pytest.fixture(scope="module")
def pool() -> PlanesPool:
    """Codecs."""
    return PlanesPool()


def packed(data: bytes) -> bytes:
    """The format, as the head of `planes.wat` describes it."""
    starts = [*range(0, len(data) - LEAST_BYTES, LEAST_BYTES), len(data) - LEAST_BYTES]
    out = bytearray()
    for block in (data[start : start + LEAST_BYTES] for start in starts):
        out += bytes(byte & 0x7F for byte in block)
        out += bytes(
            sum((block[vector * VECTOR + lane] >> 7) << vector for vector in range(VECTORS)) for lane in range(VECTOR)
        )
    return bytes(out)


def there_and_back(planes: Planes, data: bytes) -> tuple[bytes, bytes]:
    """The characters, and what they are unpacked to."""
    text = ctypes.string_at(*planes.pack(data))
    held = ctypes.create_string_buffer(text, len(text))
    return text, planes.unpack(ctypes.addressof(held), len(data))


@given(st.binary(min_size=LEAST_BYTES, max_size=1000))
def test_packing_is_as_described_and_comes_back(pool: PlanesPool, data: bytes) -> None:
    """Any bytes, whether 112 divides their number or not."""
    planes = pool.take()
    text, back = there_and_back(planes, data)
    assert (packed(data), packed_chars(len(data)), True) == (text, len(text), text.isascii())
    assert data == back
    pool.give_back(planes)


@pytest.mark.parametrize("size", [112, 113, 223, 224, 225, 65_535, 65_536, 65_537, 300_000])
def test_sizes_at_the_edges_of_blocks_and_memory_pages(pool: PlanesPool, size: int) -> None:
    """After a larger one as after a smaller one: nothing of an earlier use is left in it."""
    planes = pool.take()
    for data in (random.Random(size).randbytes(size), b"\xff" * size, bytes(size)):
        assert (packed(data), data) == there_and_back(planes, data)
    pool.give_back(planes)


def test_a_codec_is_used_again_once_it_was_given_back(pool: PlanesPool) -> None:
    """Not before: its characters are still being read."""
    lease = Lease(pool, pool.take())
    other = pool.take()
    assert other is not lease.planes
    lease.close()
    assert lease.planes is pool.take()


def test_a_codec_that_has_grown_large_is_not_kept(pool: PlanesPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither are more than a few: idle memory is bounded."""
    monkeypatch.setattr(planes_of, "_LARGEST_IDLE", 1_000_000)
    large = pool.take()
    large.pack(bytes(1_000_000))
    pool.give_back(large)
    assert large is not pool.take()
    for planes in [pool.take() for _ in range(10)]:
        pool.give_back(planes)
    assert planes_of._MOST_IDLE == len(pool._idle)


def test_threads_do_not_get_in_each_others_way(pool: PlanesPool) -> None:
    """Each has a codec of its own while it works."""
    wrong = list[int]()

    def work(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(200):
            planes, data = pool.take(), dice.randbytes(dice.randrange(112, 5000))
            if there_and_back(planes, data)[1] != data:
                wrong.append(seed)
            pool.give_back(planes)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == wrong
