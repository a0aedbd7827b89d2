"""The table of all rows: means, differences paired by seed, and what they say in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kgfm.controls.base import BASELINE, TRIAL, Case, Control, control_of
from kgfm.metrics import Interval, mean_ci, paired_difference
from kgfm.recipes import Recipe, aligned, digest

Results = Mapping[str, Sequence[Mapping[str, Any]]]
"""By row, the result of each of its runs."""


def measured(result: Mapping[str, Any]) -> tuple[str, dict[str, float]]:
    """Return the part that counts, and its figures."""
    part = "test" if "test" in result["figures"] else "validation"
    return part, result["figures"][part]


def table_of(
    recipe: Recipe,
    rows: Mapping[str, Control],
    case: Case,
    seeds: Sequence[int],
    results: Results,
) -> dict[str, Any]:
    """Put the figures of all runs together."""
    first = results[TRIAL][0]
    part, metrics = measured(first)
    # Without walks no sets are found, and so a row may lack what another has.
    every = [measured(run)[1] for runs in results.values() for run in runs]
    metrics = {name: value for name, value in metrics.items() if all(name in m for m in every)}
    metric = first["metric"]
    values = {
        row: {name: [float(measured(run)[1][name]) for run in runs] for name in metrics}
        for row, runs in results.items()
    }
    means = {row: {k: mean_ci(v) for k, v in found.items()} for row, found in values.items()}
    differences = {
        f"{one} - {other}": {
            name: paired_difference(values[one][name], values[other][name]) for name in metrics
        }
        for one, other in _pairs(rows)
    }
    gains = {
        row: differences[f"{TRIAL} - {row}"][metric]
        for row in rows
        if f"{TRIAL} - {row}" in differences
    }
    return {
        "meaning": f"{_meaning(rows, case)}{_verdict(metric, rows, gains, len(seeds))}",
        "part": part,
        "metric": metric,
        "seeds": list(seeds),
        "rows": {row: _plain(found, values[row]) for row, found in means.items()},
        "differences": {name: _plain(found, {}) for name, found in differences.items()},
        "seconds": {row: sum(run["seconds"] for run in runs) for row, runs in results.items()},
        "digest": digest(recipe),
        "versions": first["versions"],
    }


def _pairs(rows: Mapping[str, Control]) -> list[tuple[str, str]]:
    """Which rows are compared: first the one on trial with each, then each with its own."""
    order = [TRIAL, *(row for row in rows if row != TRIAL)]
    return [(row, other) for row in order for other in rows[row].against([*rows])]


def _plain(
    intervals: Mapping[str, Interval], values: Mapping[str, list[float]]
) -> dict[str, dict[str, Any]]:
    return {
        name: found._asdict() | ({"values": values[name]} if name in values else {})
        for name, found in intervals.items()
    }


def _meaning(rows: Mapping[str, Control], case: Case) -> str:
    said = [(row, control.meaning(case)) for row, control in rows.items()]
    text = "; ".join(f"{row!r} {meaning}" for row, meaning in said if meaning)
    return f"{text}. " if text else ""


def _verdict(
    metric: str, rows: Mapping[str, Control], gains: Mapping[str, Interval], seeds: int
) -> str:
    """Say in a sentence whether the graph helped; what the interval does not hold is not said."""
    called = {row: rows[row].called or f"the row {rows[row].title!r}" for row in gains}
    if seeds == 1:
        each = [f"{gain.mean:+.3f} from {called[row]}" for row, gain in gains.items()]
        return (
            f"From one seed, {metric} with the graph is {_listed(each)}; the intervals need more "
            "seeds."
        )
    over = {
        row: f"{gain.mean:+.3f} ± {gain.half_width:.3f} over {called[row]}"
        for row, gain in gains.items()
    }
    if BASELINE not in gains:
        return f"With the graph, {metric} is {_listed([*over.values()])}."
    base, gain = gains[BASELINE], f"{metric} {over.pop(BASELINE)}"
    if base.mean + base.half_width < 0:
        return f"The graph did harm: {gain}."
    if not base.mean - base.half_width > 0:
        return f"No measurable help from the graph: {gain}, an interval that includes 0."
    no_better: dict[str, list[str]] = {}
    for row, said in over.items():
        if not gains[row].mean - gains[row].half_width > 0:
            what = rows[row].no_better or f"{called[row]} does as well"
            no_better.setdefault(what, []).append(said)
    if no_better:
        but = "; ".join(f"{what}: {', '.join(said)}" for what, said in no_better.items())
        return f"Better with a graph ({gain}), but {but}."
    return f"The graph helped: {', '.join([gain, *over.values()])}."


def _listed(said: Sequence[str]) -> str:
    """Join by commas, the last by ``and``."""
    return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)


def _cells(table: Mapping[str, Any]) -> list[list[str]]:
    """Lay the table out: a row for each row and each difference, a column for each metric."""
    metrics = list(table["rows"][TRIAL])
    rows = [["", *metrics]]
    for row, found in table["rows"].items():
        title = control_of(row).title
        rows.append([title, *(_cell(found[name], "") for name in metrics)])
    for name, found in table["differences"].items():
        rows.append([name.replace(" - ", " − "), *(_cell(found[one], "+") for one in metrics)])
    return rows


def _cell(found: Mapping[str, Any], sign: str) -> str:
    mean = f"{found['mean']:{sign}.3f}"
    half = found["half_width"]
    return mean if half is None or half != half else f"{mean} ± {half:.3f}"


def as_text(table: Mapping[str, Any]) -> str:
    """Return the table as aligned lines, with what it means above."""
    seeds = ", ".join(map(str, table["seeds"]))
    head = f"{table['part']} part, mean ± 95 % interval, seeds {seeds}, differences paired by seed"
    return f"{table['meaning']}\n\n{head}\n{aligned(_cells(table))}"


def as_markdown(table: Mapping[str, Any]) -> str:
    """Return the table for a page."""
    head, *rows = _cells(table)
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]
    seeds = ", ".join(map(str, table["seeds"]))
    return (
        f"{table['meaning']}\n\nFigures of the {table['part']} part: mean ± 95 % interval, seeds "
        f"{seeds}, differences paired by seed.\n\n" + "\n".join(lines) + "\n"
    )
