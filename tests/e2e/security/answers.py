"""HTTP answers out of the bytes of a connection."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """One answer: its code, its headers by lower-case name, its body."""

    status: int
    headers: dict[str, str]
    body: bytes


def read_answers(data: bytes) -> list[Answer]:
    """Every complete answer; an interim one (``100 Continue``) has no body."""
    answers = []
    while data:
        head, gap, data = data.partition(b"\r\n\r\n")
        assert gap, f"cut off: {head[:200]!r}"
        first, *lines = head.decode("latin-1").split("\r\n")
        assert first.startswith("HTTP/1.1 "), first
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", 0))
        answers.append(Answer(int(first.split()[1]), headers, data[:length]))
        data = data[length:]
    return answers
