"""A page as a browser sees it: what it is made of, what it leads to, what it loads."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

_VOID = frozenset(("circle", "input", "link", "meta", "path", "rect"))
_LOADING = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("object", "data")}


class Page(HTMLParser):
    """`elements` are names with attributes in the order of the page; `text` is what people read."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(path.read_text("utf-8"))
        assert self._open == [], f"{path}: not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"{self.path}: {tag} has an attribute twice"
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open[-1] == tag, f"{self.path}:{self.getpos()}: </{tag}> in {self._open}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]

    @property
    def links(self) -> list[str]:
        return [attributes["href"] for name, attributes in self.elements if name == "a"]

    @property
    def loaded(self) -> list[str]:
        """Addresses of what a browser fetches for the page."""
        return [
            attributes[attribute]
            for name, attributes in self.elements
            for element, attribute in _LOADING
            if name == element and attribute in attributes and attributes.get("rel") != "alternate"
        ]


def pages_of(folder: Path) -> list[Page]:
    """Every page below `folder`."""
    return [Page(path) for path in sorted(folder.rglob("*.html"))]
