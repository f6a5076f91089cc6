"""Names and values of a person's data in messages: escaped, so that a line stays one and nothing is ambiguous."""

import unicodedata
from collections.abc import Iterable

LONGEST = 60
"""Characters of a value that are shown; further ones are cut off behind ``...``."""
_CONFUSING = "'\",;:()[]{}=`\\"


def shown(value: object, most: int = LONGEST) -> str:
    r"""A value in one line: texts in quotes, with control characters, odd blanks and combining marks escaped.

    >>> print(shown("yes "), shown("two\nlines"), shown("Ko\u0308ln"), shown(1.5))
    'yes ' 'two\nlines' 'Ko\u0308ln' 1.5
    """
    if not isinstance(value, str):
        return str(value)
    text = value if len(value) <= most else value[:most]
    return "".join(_escaped(char) for char in repr(text)) + ("..." if len(value) > most else "")


def named(name: str) -> str:
    """A name as it is where that is clear, else as ``shown``: with blanks at an end, commas, quotes or line breaks.

    >>> named("Monthly charge"), named("a,b"), named(" a")
    ('Monthly charge', "'a,b'", "' a'")
    """
    clear = name == name.strip() and name and name.isprintable() and not any(char in _CONFUSING for char in name)
    return name if clear and not any(map(unicodedata.combining, name)) else shown(name)


def cut(text: str, most: int) -> str:
    """The text, or its beginning and how much there was.

    >>> cut("abcdef", 4)
    'abcd... (6 characters in all)'
    """
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters in all)"


def brief(value: object, most: int = 200) -> str:
    """A value of any kind as Python writes it, cut where it is long.

    >>> brief("abc"), brief(10**5000)
    ("'abc'", 'a number of more than 4,300 digits')
    """
    if isinstance(value, str) and len(value) > most:
        return f"{value[:most]!r}... ({len(value):,} characters in all)"
    try:
        return cut(repr(value), most)
    except ValueError:  # Python writes no longer ones
        return "a number of more than 4,300 digits"
    except RecursionError:
        return f"a {type(value).__name__} that is nested too deep"


def listed(names: Iterable[str], most: int | None = None) -> str:
    """Names one behind the other, at most ``most`` of them.

    >>> listed(["a", "b,c", "d"], 2)
    "a, 'b,c', ... (3 in all)"
    """
    every = list(names)
    some = ", ".join(map(named, every[:most]))
    return some if most is None or len(every) <= most else f"{some}, ... ({len(every)} in all)"


def printable(text: str) -> str:
    r"""A message whose lines stay as they are and whose other control characters are escaped.

    >>> print(printable("one\x1b[31m\ntwo\u200b"))
    one\x1b[31m
    two\u200b
    """
    return "".join(char if char.isprintable() or char in "\n\t" else repr(char)[1:-1] for char in text)


def odd(char: str) -> bool:
    """Whether a character is not seen, or changes the one before it."""
    return not char.isprintable() or bool(unicodedata.combining(char))


def escaped(text: str) -> str:
    r"""A text in which odd characters other than line breaks stand as Python and YAML write them in double quotes.

    >>> print(escaped("Ko\u0308ln\u200b"))
    Ko\u0308ln\u200b
    """
    return "".join(_code(char) if odd(char) and char != "\n" else char for char in text)


def _code(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def _escaped(char: str) -> str:
    """Combining marks as their code; ``repr`` has escaped what is not printable."""
    return f"\\u{ord(char):04x}" if unicodedata.combining(char) else char


def figure(value: float, digits: int = 4) -> str:
    """A number to so many significant digits; up to 1e15 as people write it, without an exponent.

    >>> figure(0.573811), figure(47434.6), figure(-1.23456e6, 2), figure(3e-06), figure(1e30)
    ('0.5738', '47,430', '-1,200,000', '3e-06', '1e+30')
    """
    text = f"{value:.{digits}g}"
    return f"{float(text):,.0f}" if "e+" in text and abs(value) < 1e15 else text


def signed(difference: float, digits: int = 2) -> str:
    """A difference with its sign; what sums in another order leave of none, below 1e-12, is 0.

    >>> signed(0.00423), signed(-0.0142), signed(11961.0), signed(3.3e-16), signed(0.0)
    ('+0.0042', '-0.014', '+12,000', '0', '0')
    """
    text = figure(difference, digits) if not abs(difference) < 1e-12 else "0"
    return f"+{text}" if difference >= 1e-12 else text
