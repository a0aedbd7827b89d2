"""In and out of other forms of a graph; the package that reads one is imported when it is used."""

from __future__ import annotations

from pathlib import Path

from kgfm.stores import networkx, rdf, tables
from kgfm.stores.rdf_sources import PACKED

STORES = {"networkx": networkx.read, "rdf": rdf.read, "tables": tables.read}


def store_for(path: str | Path) -> str:
    """Return the name of the store that reads a file, by its suffix.

    Raises:
        ValueError: No store reads such files.
    """
    suffixes = [suffix for suffix in map(str.lower, Path(path).suffixes) if suffix not in PACKED]
    last = suffixes[-1] if suffixes else ""
    if last in rdf.SUFFIXES:
        return "rdf"
    if last in tables.SUFFIXES:
        return "tables"
    known = ", ".join([*rdf.SUFFIXES, *tables.SUFFIXES])
    raise ValueError(f"No store reads {str(path)!r} by its suffix {last!r}; known are {known}.")
