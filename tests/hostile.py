"""Texts that try to become markup, and a reader of pages by another parser that says what has become of them."""

import html.parser

MARK = "zq7"
"""Stands in every hostile text."""
HOSTILE = (
    f"<script>{MARK}()</script>",
    f"<img src={MARK} onerror={MARK}()>",
    f'<meta http-equiv=refresh content="0;url=https://{MARK}.example">',
    f'"><svg onload={MARK}()>',
    f"' onmouseover='{MARK}()",
    f'" onfocus="{MARK}()" autofocus="',
    f"javascript:{MARK}()",
    f"</style></title><iframe src=//{MARK}.example></iframe>",
    f"<!--{MARK}",
    f"{{{{7*7}}}}{{% raw %}}{MARK}",
    f"[{MARK}](https://{MARK}.example) ![{MARK}](https://{MARK}.example/x.png)",
    f"&lt;b&gt;{MARK}`<{MARK}>`$column",
)
SHOWN = {"title", "aria-label", "value", "class", "id", "d", "href", "data-k", "content"}
"""Attributes that may show a hostile text as a text; of ``href`` and ``content`` more is asked."""


class Read(html.parser.HTMLParser):
    """Elements, attributes and texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.comments: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def harmless(page: str, scripts: int = 0, refreshes: int = 0) -> Read:
    """The page as read; fails where an element, an attribute or an address in it is of hostile origin.

    Args:
        page: HTML.
        scripts: how many elements ``script`` of ours there are.
        refreshes: how many pages of ours load themselves again.
    """
    read = Read(page)
    tags = [tag for tag, _ in read.elements]
    assert tags.count("script") == scripts
    assert not {"iframe", "img", "object", "embed", "base", MARK} & set(tags)
    assert sum(a.get("http-equiv", "").lower() == "refresh" for _, a in read.elements) == refreshes
    for tag, attributes in read.elements:
        assert MARK not in tag
        for name, value in attributes.items():
            assert (
                not name.startswith("on") and MARK not in name and name not in ("autofocus", "style" * (MARK in value))
            )
            assert MARK not in value or name in SHOWN, (tag, name, value)
            if name in ("href", "src", "action"):
                assert not value.lower().startswith(("javascript:", "data:text", "//", "http")), value
    assert not any(MARK in comment for comment in read.comments)
    return read
