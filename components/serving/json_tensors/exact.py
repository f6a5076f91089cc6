r"""The exact JSON parser: slow, iterative, and the one that words syntax errors.

It takes what TensorFlow Serving's parser takes: ``NaN``, ``Inf`` and ``Infinity`` with an optional ``-``; numbers
beyond 64 bits become floats; strings may hold bytes that are not UTF-8 (kept by ``surrogateescape``); the first of
duplicate keys wins; text after the first complete value is ignored. Nesting costs memory, never stack.

The states and the offsets of errors are those of RapidJSON's iterative parser (https://rapidjson.org), which the
error texts of the contract come from.
"""

import re
from typing import Any, NoReturn

import orjson

from components.serving.errors import ServingError, invalid_argument

MAX_STEPS = 1_000_000
"""Values and containers after which a body that the fast parsers refused is given up."""

_SPACE = re.compile(rb"[ \t\r\n]*")
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_NON_FINITE = re.compile(rb"(-?)(NaN|Inf(?:inity)?)")
_RUN = re.compile(rb"(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?[ \t\r\n]*,[ \t\r\n]*){2,}+")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_HEX = re.compile(rb"[0-9A-Fa-f]{4}")
_ESCAPES = {
    0x22: '"', 0x2F: "/", 0x5C: "\\", 0x62: "\b", 0x66: "\f", 0x6E: "\n", 0x72: "\r", 0x74: "\t",
}  # fmt: skip
_LITERALS: dict[bytes, Any] = {b"true": True, b"false": False, b"null": None}

_AFTER_VALUE: dict[type, str] = {
    dict: "Missing a comma or } after an object member.",
    list: "Missing a comma or ] after an array element.",
}


def syntax_error(reason: str, offset: int) -> ServingError:
    """The answer to a body that is not JSON; ``offset`` in bytes from its start."""
    return invalid_argument(f"JSON Parse error: {reason} at offset: {offset}")


def parse(body: bytes) -> Any:
    """The first JSON value in ``body``.

    Raises:
        ServingError: INVALID_ARGUMENT ``JSON Parse error: REASON at offset: N``.
    """
    return _Parser(body).parse()


class _Parser:
    """One pass over the bytes; ``stack`` holds the open containers."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.at = 3 if body.startswith(b"\xef\xbb\xbf") else 0
        self.stack: list[Any] = []
        self.steps = 0
        self.no_run_before = 0

    def parse(self) -> Any:
        """The first complete value."""
        self._skip_space()
        if self._peek() == 0:
            self._fail("The document is empty.")
        value = self._open_or_scalar()
        while self.stack:
            self._member()
        return value

    def _member(self) -> None:
        """Read one more member of the innermost container, or close it."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            self._fail("The document has too many values.")
        container = self.stack[-1]
        self._skip_space()
        if isinstance(container, list):
            if not container and self._peek() == 0x5D:
                self._close()
            else:
                self._run_of_numbers(container)
                self._append(container)
        elif not container and self._peek() == 0x7D:
            self._close()
        else:
            self._assign(container, self._key())

    def _append(self, container: list[Any]) -> None:
        depth = len(self.stack)
        container.append(self._open_or_scalar())
        if len(self.stack) == depth:
            self._after_value()

    def _assign(self, container: dict[str, Any], key: str) -> None:
        depth = len(self.stack)
        value = self._open_or_scalar()
        container.setdefault(key, value)
        if len(self.stack) == depth:
            self._after_value()

    def _after_value(self) -> None:
        """Comma, or the end of one or more containers."""
        while self.stack:
            self._skip_space()
            inside = type(self.stack[-1])
            byte = self._peek()
            if byte == 0x2C:
                self.at += 1
                return
            if byte != (0x7D if inside is dict else 0x5D):
                self._fail(_AFTER_VALUE[inside])
            self.at += 1
            self.stack.pop()

    def _close(self) -> None:
        """End of an empty container."""
        self.at += 1
        self.stack.pop()
        self._after_value()

    def _run_of_numbers(self, container: list[Any]) -> None:
        """Several numbers in a row are read by the fast parser in one go."""
        run = _RUN.match(self.body, self.at) if self.at >= self.no_run_before else None
        if run is None:
            return
        try:
            container.extend(orjson.loads(b"[" + run[0].rstrip(b", \t\r\n") + b"]"))
        except orjson.JSONDecodeError:
            self.no_run_before = run.end()
            return
        self.at = run.end()

    def _key(self) -> str:
        if self._peek() != 0x22:
            self._fail("Missing a name for object member.")
        key = self._string()
        self._skip_space()
        if self._peek() != 0x3A:
            self._fail("Missing a colon after a name of object member.")
        self.at += 1
        return key

    def _open_or_scalar(self) -> Any:
        """A scalar, or a new container that is put on the stack."""
        self._skip_space()
        byte = self._peek()
        if byte in (0x5B, 0x7B):
            self.at += 1
            container: Any = [] if byte == 0x5B else {}
            self.stack.append(container)
            return container
        if byte == 0x22:
            return self._string()
        for text, value in _LITERALS.items():
            if byte == text[0]:
                self._expect(text)
                return value
        return self._number()

    def _expect(self, text: bytes) -> None:
        """Consume a literal; the error stands at the first byte that differs."""
        for byte in text:
            if self._peek() != byte:
                self._fail("Invalid value.")
            self.at += 1

    def _number(self) -> int | float:
        special = _NON_FINITE.match(self.body, self.at)
        if special is not None:
            self.at = special.end()
            return float((special[1] + special[2]).decode())
        found = _NUMBER.match(self.body, self.at)
        if found is None:
            self.at += self._peek() == 0x2D
            self._fail("Invalid value.")
        start, self.at = self.at, found.end()
        self._refuse_half_number(found)
        if found[1] is None and found[2] is None and len(found[0]) < 4000:
            whole = int(found[0])
            if -(2**63) <= whole < 2**64:
                return whole
        value = float(found[0])
        if value in (float("inf"), float("-inf")):
            raise syntax_error("Number too big to be stored in double.", start)
        return value

    def _refuse_half_number(self, found: re.Match[bytes]) -> None:
        """``1.`` and ``1e`` are errors of their own, found behind the part that is a number."""
        byte = self._peek()
        if byte == 0x2E and found[1] is None and found[2] is None:
            self.at += 1
            self._fail("Miss fraction part in number.")
        if byte in (0x65, 0x45) and found[2] is None:
            self.at += 1
            self.at += self._peek() in (0x2B, 0x2D)
            self._fail("Miss exponent in number.")

    def _string(self) -> str:
        self.at += 1
        parts: list[bytes] = []
        while True:
            plain = _PLAIN.match(self.body, self.at)
            assert plain is not None
            parts.append(plain[0])
            self.at = plain.end()
            byte = self._peek()
            if byte == 0x22:
                self.at += 1
                return b"".join(parts).decode("utf-8", "surrogateescape")
            if byte == 0:
                self._fail("Missing a closing quotation mark in string.")
            if byte != 0x5C:
                self._fail("Invalid encoding in string.")
            parts.append(self._escape().encode())

    def _escape(self) -> str:
        start = self.at
        kind = self._peek(1)
        self.at += 2
        if kind in _ESCAPES:
            return _ESCAPES[kind]
        if kind != 0x75:
            raise syntax_error("Invalid escape character in string.", start)
        code = self._hex(start)
        if 0xD800 <= code <= 0xDFFF:
            code = self._surrogate_pair(code, start)
        return chr(code)

    def _surrogate_pair(self, high: int, start: int) -> int:
        if high > 0xDBFF or self.body[self.at : self.at + 2] != b"\\u":
            raise syntax_error("The surrogate pair in string is invalid.", start)
        self.at += 2
        low = self._hex(start)
        if not 0xDC00 <= low <= 0xDFFF:
            raise syntax_error("The surrogate pair in string is invalid.", start)
        return ((high - 0xD800) << 10) + (low - 0xDC00) + 0x10000

    def _hex(self, start: int) -> int:
        digits = _HEX.match(self.body, self.at)
        if digits is None:
            raise syntax_error("Incorrect hex digit after \\u escape in string.", start)
        self.at = digits.end()
        return int(digits[0], 16)

    def _skip_space(self) -> None:
        space = _SPACE.match(self.body, self.at)
        assert space is not None
        self.at = space.end()

    def _peek(self, ahead: int = 0) -> int:
        """The byte at the current place; 0 at the end (a NUL byte ends a document too)."""
        at = self.at + ahead
        return self.body[at] if at < len(self.body) else 0

    def _fail(self, reason: str) -> NoReturn:
        raise syntax_error(reason, self.at)
