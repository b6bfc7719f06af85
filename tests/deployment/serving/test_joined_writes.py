"""Head and body leave in one write; what has no body leaves at once."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from deployment.serving.joined_writes import JoinedWrites

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"


@dataclass
class Transport:
    written: list[bytes] = field(default_factory=list)
    is_closed: bool = False

    def write(self, data: bytes) -> None:
        assert not self.is_closed
        self.written.append(data)

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed


@pytest.fixture
def joined() -> tuple[Any, Transport]:
    transport = Transport()
    return JoinedWrites(transport), transport  # type: ignore[arg-type]


def test_head_waits_for_the_first_part_of_its_body(joined: tuple[Any, Transport]) -> None:
    writes, transport = joined
    for part in (HEAD, b"ab", b"cd", HEAD, b"efgh"):
        writes.write(part)
    assert transport.written == [HEAD + b"ab", b"cd", HEAD + b"efgh"]


def test_empty_body_lets_the_head_go(joined: tuple[Any, Transport]) -> None:
    writes, transport = joined
    writes.write(HEAD)
    writes.write(b"")
    assert transport.written == [HEAD]


def test_head_that_is_kept_is_written_before_the_end(joined: tuple[Any, Transport]) -> None:
    writes, transport = joined
    writes.write(b"HTTP/1.1 400 Bad Request\r\n\r\nwhole")
    writes.close()
    assert transport.written == [b"HTTP/1.1 400 Bad Request\r\n\r\nwhole"]
    assert writes.is_closing()


def test_word_to_go_on_leaves_at_once(joined: tuple[Any, Transport]) -> None:
    writes, transport = joined
    writes.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert transport.written == [b"HTTP/1.1 100 Continue\r\n\r\n"]


def test_long_body_is_written_as_it_is_given_and_not_copied(joined: tuple[Any, Transport]) -> None:
    writes, transport = joined
    body = bytes(1_000_000)
    writes.write(HEAD)
    writes.write(body)
    assert transport.written[0] == HEAD
    assert transport.written[1] is body


def test_what_comes_after_the_connection_is_passed_over(joined: tuple[Any, Transport]) -> None:
    writes, transport = joined
    writes.write(HEAD)
    writes.forget()
    writes.write(b"abcd")
    assert transport.written == []
