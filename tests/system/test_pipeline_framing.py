"""Cutting streams into messages, against a naive splitter of the whole stream."""

from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.system.pipeline_framing import (
    SAMPLE_BYTES,
    BlockFramer,
    Framer,
    LineFramer,
    Oversized,
    WholeFramer,
)

CHUNKS = st.lists(st.binary(max_size=12) | st.sampled_from([b"\n", b"ab\n", b"\n\n", b"\r\n", b"x" * 9]), max_size=12)


def frame(framer: Framer, chunks: list[bytes]) -> tuple[list[bytes], list[Oversized]]:
    """All messages of a stream, and what was refused."""
    messages = [message for chunk in chunks for message in framer.feed(chunk)] + framer.end()
    return messages, list(framer.oversized)


def naive_lines(stream: bytes) -> list[bytes]:
    """The lines of a whole stream: the part behind the last newline is one only when it is not empty."""
    lines = stream.split(b"\n")
    return lines if lines[-1] else lines[:-1]


@given(CHUNKS, st.integers(0, 20))
def test_lines_do_not_depend_on_chunks(chunks: list[bytes], limit: int) -> None:
    """Whatever the chunks, the lines within the limit come whole and in order, the others are named."""
    lines = naive_lines(b"".join(chunks))
    messages, oversized = frame(LineFramer(limit), chunks)
    assert [line for line in lines if len(line) <= limit] == messages
    assert sorted((line[:SAMPLE_BYTES], len(line)) for line in lines if len(line) > limit) == sorted(
        (refused.sample, refused.size) for refused in oversized
    )


@given(CHUNKS, st.integers(1, 7))
def test_blocks_do_not_depend_on_chunks(chunks: list[bytes], size: int) -> None:
    """Blocks are slices of the whole stream."""
    stream = b"".join(chunks)
    expected = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert (expected, []) == frame(BlockFramer(size), chunks)


@given(CHUNKS)
def test_a_whole_stream_is_one_message(chunks: list[bytes]) -> None:
    """Also an empty one: a file is a message."""
    assert ([b"".join(chunks)], []) == frame(WholeFramer(1000), chunks)


def test_only_the_newline_is_taken_off() -> None:
    """A carriage return belongs to the line, an empty line is a message, the end needs no newline."""
    assert ([b"a\r", b"", b"b"], []) == frame(LineFramer(9), [b"a\r\n\nb"])


def test_an_endless_line_takes_no_memory() -> None:
    """100 MB without a newline leave a sample and a size; the next line is whole again."""
    framer = LineFramer(1000)
    for _ in range(1000):
        framer.feed(b"x" * 100_000)
        assert sum(map(len, framer._pending._parts)) <= 1000
    assert [b"short"] == framer.feed(b"\nshort\n")
    assert [Oversized(b"x" * SAMPLE_BYTES, 100_000_000)] == framer.oversized


def test_a_framer_can_be_used_for_the_next_file() -> None:
    """What one file ends with does not run into the next."""
    framer = LineFramer(9)
    assert [b"a", b"b"] == framer.feed(b"a") + framer.end() + framer.feed(b"b") + framer.end()
