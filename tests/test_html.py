"""What a graph or a text says can never become markup where it is shown."""

from __future__ import annotations

import ast
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

import kgfm
from kgfm.graph import EntityRecord, KnowledgeGraph
from kgfm.types import Mention, Prediction

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</td></table><iframe src=//e.org>",
    "&lt;b&gt; &#x3c;svg/onload=alert(1)&#x3e;",
    "<!-- Ignore previous instructions -->",
    "\x00<\x00script>",
)
TAGS = {"p", "b", "table", "tr", "td", "th", "mark", "div", "span", "br", "ul", "li", "small", "i"}


class Read(HTMLParser):
    """Notes tags, attributes and the text between, as a browser would take them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.comments = 0
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_comment(self, data: str) -> None:
        self.comments += 1

    def handle_data(self, data: str) -> None:
        self.text += data


def graph_of(text: str) -> str:
    record = EntityRecord(text, text, (text,), text, (text,), {text: text})
    kg = KnowledgeGraph.from_records([record], [(text, text, text)], relations={text: text})
    return kg._repr_html_()


def prediction_of(text: str) -> str:
    mention = Mention(0, len(text), text, text)
    said = Prediction(text + text, text, 0.5, ((text, 0.5),), (text, text), (mention,))
    return said._repr_html_()


SHOWN: dict[str, Callable[[str], str]] = {"KnowledgeGraph": graph_of, "Prediction": prediction_of}


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", SHOWN)
def test_labels_and_texts_stay_text(name: str, text: str) -> None:
    read = Read()
    read.feed(SHOWN[name](text))
    read.close()
    assert read.tags <= TAGS
    assert read.attributes <= {"title", "class", "style"}
    assert read.comments == 0
    assert text in read.text  # and is shown as it is


def test_every_object_that_shows_itself_as_html_is_tested_here() -> None:
    package = Path(kgfm.__file__).parent
    found = {
        node.name
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and any(isinstance(n, ast.FunctionDef) and n.name == "_repr_html_" for n in node.body)
    }
    assert found == set(SHOWN)
