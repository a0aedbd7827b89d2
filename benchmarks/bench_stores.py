"""How fast graphs come in and go out, each road beside the plainest one, in the same run.

    python benchmarks/bench_stores.py [--only NAME ...] [--scale 0.1] [--json stores.json]

Every figure is measured in a process of its own, so that none warms the memory of another. ``cpu``
counts the processor and not the clock: a busy machine changes it little. A ratio is the row's
seconds over those of the row that it names; the goal, where there is one, is at most that, by the
processor, or by the clock where a server does the work. Two cases need servers:
``stores_on_servers.py`` says which, and starts them.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import stores_on_servers

from kgfm.graph import KnowledgeGraph


@dataclass
class Row:
    """One figure.

    Args:
        case: Which case it belongs to.
        name: What was done.
        seconds: By the clock.
        cpu: By the processor.
        peak_mib: Most memory of its process.
        goals: By the name of another row: how many times its seconds this one may take.
        limits: By the name of a figure of this row: the most it may be.
        questions: Asked of a server.
        by: What the goals count, ``"cpu"`` or ``"clock"``.
    """

    case: str
    name: str
    seconds: float
    cpu: float
    peak_mib: float
    goals: dict[str, float]
    limits: dict[str, float] = field(default_factory=dict)
    questions: int = 0
    by: str = "cpu"


class Bench:
    """Runs what a case wants measured, and keeps the rows.

    Args:
        folder: For files; empty at first.
        scale: Factor on the size of every graph.
    """

    def __init__(self, folder: Path, scale: float) -> None:
        self.folder, self.scale = folder, scale
        self.rows: list[Row] = []

    def measure(
        self, case: str, name: str, work: Callable[..., Any], *given: Any, **goals: float
    ) -> Any:
        """Run ``work`` in a new process, and add a row; return what it returned.

        Goals are named after rows, with ``_`` for a blank.
        """
        context = multiprocessing.get_context("spawn")
        with context.Pool(1) as pool:
            result, seconds, cpu, peak = pool.apply(_timed, (work, given))
        wanted = {other.replace("_", " "): factor for other, factor in goals.items()}
        self.rows.append(Row(case, name, seconds, cpu, peak, wanted))
        print(f"  {name}: {seconds:.2f} s, {cpu:.2f} s of processor", flush=True)
        return result


def _timed(work: Callable[..., Any], given: tuple[Any, ...]) -> tuple[Any, float, float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work(*given)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return result, wall, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# -- RDF ------------------------------------------------------------------------------------------


def write_n_triples(path: Path, count: int, seed: int = 0) -> None:
    """Write a graph of ``count`` statements: a tenth as many entities, a power law of links.

    Each entity has a label, a type and a year; the other statements are links.
    """
    random = np.random.default_rng(seed)
    entities, base = max(1, count // 10), "http://example.org/resource/e"
    rdf, rdfs = (
        "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
        "http://www.w3.org/2000/01/rdf-schema#",
    )
    xsd = "http://www.w3.org/2001/XMLSchema#"
    ends = (entities * random.random((2, count - 3 * entities)) ** 2).astype(np.int64)
    relations = random.integers(0, 40, ends.shape[1])
    with path.open("w", encoding="utf-8") as file:
        for i in range(entities):
            file.write(
                f'<{base}{i}> <{rdfs}label> "Entity number {i}"@en .\n'
                f"<{base}{i}> <{rdf}type> <http://example.org/class/C{i % 50}> .\n"
                f'<{base}{i}> <http://example.org/property/year> "{1900 + i % 120}"'
                f"^^<{xsd}integer> .\n"
            )
        links = zip(ends[0].tolist(), relations.tolist(), ends[1].tolist(), strict=True)
        for head, relation, tail in links:
            file.write(
                f"<{base}{head}> <http://example.org/property/p{relation}> <{base}{tail}> .\n"
            )


def _with_rdflib(path: Path) -> int:
    import rdflib

    return len(rdflib.Graph().parse(path, format="nt"))


def _with_oxigraph(path: Path) -> int:
    import pyoxigraph

    store = pyoxigraph.Store()
    store.bulk_load(path=path)
    return len(store)


def _with_oxigraph_on_disk(path: Path) -> None:
    import pyoxigraph

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        pyoxigraph.Store(folder).bulk_load(path=path)


def _parsed_alone(path: Path) -> int:
    import pyoxigraph

    return sum(1 for _ in pyoxigraph.parse(path=path))


def _with_kgfm(path: Path, out: Path) -> str:
    return KnowledgeGraph.from_rdf(path).save(out).fingerprint


def _exported(snapshot: Path, out: Path) -> str:
    KnowledgeGraph.open(snapshot).to_rdf(out)
    return KnowledgeGraph.from_rdf(out).fingerprint


def rdf(bench: Bench) -> None:
    """Bring 1M N-Triples to an opened snapshot."""
    path, snapshot = bench.folder / "graph.nt", bench.folder / "snapshot"
    write_n_triples(path, int(1_000_000 * bench.scale))
    bench.measure("rdf", "oxigraph parser alone", _parsed_alone, path)
    bench.measure("rdf", "oxigraph bulk load", _with_oxigraph, path)
    bench.measure("rdf", "oxigraph bulk load on disk", _with_oxigraph_on_disk, path)
    bench.measure("rdf", "rdflib", _with_rdflib, path)
    found = bench.measure(
        "rdf",
        "kgfm to an opened snapshot",
        _with_kgfm,
        path,
        snapshot,
        rdflib=0.2,
        oxigraph_bulk_load=2.0,
    )
    again = bench.measure(
        "rdf", "kgfm out to N-Triples and in", _exported, snapshot, bench.folder / "out.nt"
    )
    if again != found:
        raise RuntimeError("The graph that was written and read again is another one.")


# -- tables ---------------------------------------------------------------------------------------


def write_parquet(path: Path, count: int, seed: int = 0) -> None:
    """Write ``count`` triples: a tenth as many entities, 50 relations, power laws, string keys."""
    import pyarrow
    import pyarrow.parquet

    random = np.random.default_rng(seed)
    size = max(50, count // 10)
    names = [f"http://example.org/entity/Q{i}" for i in random.permutation(size).tolist()]
    keys = pyarrow.array(names)
    relations = pyarrow.array([f"http://example.org/property/P{i}" for i in range(50)])
    schema = pyarrow.schema([(name, pyarrow.string()) for name in ("head", "relation", "tail")])
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for start in range(0, count, 1_000_000):
            rows = min(1_000_000, count - start)
            heads, tails = (size * random.random((2, rows)) ** 3).astype(np.int64)
            types = (50 * random.random(rows) ** 2).astype(np.int64)
            columns = [keys.take(heads), relations.take(types), keys.take(tails)]
            writer.write_table(pyarrow.table(columns, schema=schema))


def _from_table(path: Path, out: Path) -> str:
    return KnowledgeGraph.from_tables(path).save(out).fingerprint


def _opened(snapshot: Path, times: int) -> float:
    """Return the median of the seconds that opening takes."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        KnowledgeGraph.open(snapshot)
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def _as_tsv(path: Path, out: Path) -> None:
    import pyarrow.csv
    import pyarrow.parquet

    options = pyarrow.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    pyarrow.csv.write_csv(pyarrow.parquet.read_table(path), out, options)


def tables(bench: Bench) -> None:
    """Bring 10M triples from Parquet to an opened snapshot, and open that again."""
    path, text, snapshot = (bench.folder / name for name in ("t.parquet", "t.tsv", "snapshot"))
    write_parquet(path, int(10_000_000 * bench.scale))
    _as_tsv(path, text)
    found = bench.measure("tables", "Parquet to an opened snapshot", _from_table, path, snapshot)
    bench.rows[-1].limits = {"seconds": 60, "peak_mib": 4096}
    median = bench.measure("tables", "opening, the median", _opened, snapshot, 101)
    bench.rows[-1].seconds, bench.rows[-1].limits = median, {"seconds": 0.005}
    if bench.measure("tables", "TSV to an opened snapshot", _from_table, text, snapshot) != found:
        raise RuntimeError("The same triples in another file make another graph.")


CASES: dict[str, Callable[[Bench], None]] = {
    "rdf": rdf,
    "tables": tables,
    "neo4j": stores_on_servers.neo4j,
    "live": stores_on_servers.live,
}
"""By name: what measures a road and adds its rows."""


def table(rows: list[Row]) -> Iterator[str]:
    """Yield one line for each figure, with its ratios to others."""
    yield f"{'':<38} {'seconds':>9} {'cpu':>8} {'MiB':>7}"
    by_name = {(row.case, row.name): row for row in rows}
    for row in rows:
        yield (
            f"{row.case + ': ' + row.name:<38} {row.seconds:9.2f} {row.cpu:8.2f} "
            f"{row.peak_mib:7,.0f}"
        )
        for figure, limit in row.limits.items():
            found = getattr(row, figure)
            verdict = "kept" if found <= limit else "missed"
            yield f"    {found:,.4g} {figure}; goal {limit:,g}: {verdict}"
        for other, goal in row.goals.items():
            base = by_name[row.case, other]
            wall, cpu = row.seconds / base.seconds, row.cpu / base.cpu
            verdict = "kept" if (cpu if row.by == "cpu" else wall) <= goal else "missed"
            yield (
                f"    {wall:.2f} x {other} by the clock, {cpu:.2f} x by the processor; "
                f"goal {goal:.3g}: {verdict}"
            )


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="kgfm-bench-") as made:
        yield Path(made)


def main() -> None:
    """Run the cases and print their table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=CASES, help="cases to run; all by default")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the size of each graph")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--folder", type=Path, help="where to put files, on which disk")
    options = parser.parse_args()
    with _folder(options.folder) as folder:
        bench = Bench(folder, options.scale)
        for name in options.only or CASES:
            print(f"{name}: {CASES[name].__doc__}", flush=True)
            CASES[name](bench)
    print("\n".join(table(bench.rows)))
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in bench.rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
