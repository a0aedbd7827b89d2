"""Several texts as they are given: what is no series of texts is refused, with what to write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kgfm.types import Example


def texts_in(given: Any, what: str, kinds: tuple[type, ...] = (str,)) -> Iterator[Any]:
    """Return an iterator over several texts; each is looked at when its turn comes.

    Lists, tuples, generators, a column of a data frame and a numpy array of strings will do. What
    can be iterated and would be read in another way is refused at once: a single text letter by
    letter, a mapping key by key, a data frame column name by column name.

    Args:
        given: The texts.
        what: What was called, such as ``linker.link``; it stands in the message.
        kinds: What a text may be, such as ``str`` and :class:`kgfm.Example`.

    Raises:
        TypeError: It is no series of texts, or one of them is of another kind; the message says
            what to write, and names the index of the one.
    """
    instead = _instead(given, what, kinds)
    if instead is not None:
        several = "texts" if str in kinds else "examples"
        raise TypeError(f"{what}() takes several {several}, not {_name(given)}: {instead}.")
    return _looked_at(iter(given), kinds)


def text_in(given: Any, what: str, several: str) -> str:
    """Return a single text.

    Args:
        given: The text.
        what: What was called, such as ``linker``; it stands in the message.
        several: What takes several texts.

    Raises:
        TypeError: It is none; the message says what to write.
    """
    if isinstance(given, str):
        return _plain(given)
    if isinstance(given, bytes | bytearray):
        instead = f"write {what}(given.decode())"
    elif _is_frame(given) or isinstance(given, Mapping):
        instead = f"write {what}(given[{_column(given)!r}])"
    elif isinstance(given, Example):
        instead = f"write {what}(example.text)"
    elif hasattr(given, "__iter__"):
        instead = f"write {several}(texts) for several"
    else:
        instead = f"write {what}(text)"
    raise TypeError(f"A text is a str, not {_name(given)}: {instead}.")


def _looked_at(texts: Iterator[Any], kinds: tuple[type, ...]) -> Iterator[Any]:
    wanted = " or ".join(map(_kind, kinds))
    for index, one in enumerate(texts):
        if not isinstance(one, kinds):
            raise TypeError(
                f"Text {index} is {type(one).__name__}; give {wanted}.{_hint(one, kinds)}"
            )
        yield _plain(one) if isinstance(one, str) else one


def _hint(one: Any, kinds: tuple[type, ...]) -> str:
    """Say how to make a text of an item that is none."""
    is_number = isinstance(one, float) and one != one
    if one is None or is_number or type(one).__name__ == "NAType":
        return " Where a text is missing, leave it out or give ''."
    if isinstance(one, Mapping) and kinds == (Example,):
        label = next((name for name in ("target", "label", "labels") if name in one), "label")
        return f" Of a row, write kgfm.Example(row[{_column(one)!r}], (row[{label!r}],))."
    if isinstance(one, Mapping):
        return f" Of a row, give row[{_column(one)!r}]."
    if isinstance(one, str) and kinds == (Example,):
        return f" Write kgfm.Example({one[:40]!r}, (label,))."
    return " Write example.text." if isinstance(one, Example) and str in kinds else ""


def _instead(given: Any, what: str, kinds: tuple[type, ...]) -> str | None:
    """Return what to write instead of something that is no series of texts."""
    if isinstance(given, str | Example):
        return f"write {what}([{'text' if isinstance(given, str) else 'example'}])"
    if isinstance(given, bytes | bytearray | memoryview):
        return f"write {what}([bytes(given).decode()])"
    if _is_frame(given):
        column = f"frame[{_column(given)!r}]"
        if str in kinds:
            return f"write {what}({column})"
        if kinds != (Example,):
            return f"make a list of {' or '.join(kind.__name__ for kind in kinds)} of it"
        pairs = f"zip({column}, frame['label'])"
        return f"write {what}([kgfm.Example(text, (label,)) for text, label in {pairs}])"
    if isinstance(given, Mapping):
        key = _column(given)
        value = f"given[{key!r}]"
        one = f"[{value}]" if isinstance(given.get(key), str | Example) else value
        return f"write {what}({one}), or {what}(given.values()) for all that it holds"
    try:
        iter(given)
    except TypeError:
        return f"write {what}([{'text' if str in kinds else 'example'}, ...])"
    return None


def _is_frame(given: Any) -> bool:
    """Whether it is a table; one is iterated by its columns (pandas, polars, pyarrow)."""
    return hasattr(given, "columns") and hasattr(given, "shape")


def _column(given: Any) -> Any:
    """Return the name of the column, or the key, that seems to hold the text."""
    if isinstance(given, Mapping):
        names = [*given]
    else:  # pyarrow's columns are the values
        names = [*getattr(given, "column_names", given.columns)]
    return "text" if "text" in names or not names else names[0]


def _kind(kind: type) -> str:
    return f"a {'kgfm.' if kind is Example else ''}{kind.__name__}"


def _name(given: Any) -> str:
    if given is None:
        return "None"
    kind = type(given).__name__
    return f"one {kind}" if isinstance(given, str | Example) else kind


def _plain(text: str) -> str:
    """Return a text as a plain ``str``; numpy's strings are of a class of their own."""
    return text if type(text) is str else str.__str__(text)
