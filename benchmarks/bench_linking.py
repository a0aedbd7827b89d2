"""The linker's figures: scanning, candidates, latency, hostile texts; each a named case.

KGFM_DATA=folder python benchmarks/bench_linking.py --json linking.json
python benchmarks/bench_linking.py --only scan --aliases 100000 --megabytes 10

Seconds are those of one core's work (CPU time), the best of several rounds, so that what else runs
on the machine counts little; all systems of a table are timed in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from linking_entities import entities
from linking_hostile import hostile
from linking_learning import MAKES, causes, fine_tune
from linking_quality import companies, fuzzy, recall
from linking_sources import Figures
from linking_speed import latency, memory, scan

CASES: dict[str, Callable[[argparse.Namespace], Figures]] = {
    "scan": scan,
    "memory": memory,
    "fuzzy": fuzzy,
    "recall": recall,
    "entities": entities,
    "causes": causes,
    "fine_tune": fine_tune,
    "companies": companies,
    "latency": latency,
    "hostile": hostile,
}
ALONE = {"memory", "fine_tune"}
"""Cases that count the memory of the process or take an hour, and so run only when named."""


def without_places(options: Sequence[str]) -> list[str]:
    """Return the options but for those that say where files are, and what a part of a run is."""
    places = ("--json", "--cache", "--data")
    return [
        option
        for before, option in zip(["", *options], options, strict=False)
        if option not in (*places, "--makes", *MAKES) and before not in places
    ]


def machine() -> str:
    """Say what the figures were measured on, and how busy it was."""
    model = platform.processor() or platform.machine()
    with suppress(OSError):
        names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        model = names[0] if names else model
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}{load}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("KGFM_DATA"))
    parser.add_argument("--only", action="append", choices=CASES, help="a case; may be repeated")
    parser.add_argument("--aliases", type=int, default=1_000_000)
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--rival-megabytes", type=float, default=10)
    parser.add_argument("--phrases", type=int, help="names for PhraseMatcher, if not all")
    parser.add_argument("--fuzzy-aliases", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument(
        "--makes",
        nargs="+",
        default=MAKES,
        choices=MAKES,
        help="of sets that fine_tune is measured on; the figures of others stay in --json",
    )
    parser.add_argument("--cache", type=Path, help="keeps compiled graphs and vectors")
    parser.add_argument(
        "--json", type=Path, help="write the figures to this file too, beside those of other cases"
    )
    given = parser.parse_args()
    if given.data is None:
        raise SystemExit("Name the folder of the data sets: --data FOLDER, or KGFM_DATA=FOLDER.")
    given.data = Path(given.data)
    known = given.json and given.json.is_file()
    figures = json.loads(given.json.read_text(encoding="utf-8")) if known else {}
    for case in given.only or [name for name in CASES if name not in ALONE]:
        print(f"== {case}: {CASES[case].__doc__}")
        kept = figures.get(case, {}) if case == "fine_tune" else {}
        figures[case] = {**kept, **CASES[case](given)}
        options = [o for o in sys.argv[1:] if o not in ("--only", *CASES)]
        figures[case]["command"] = " ".join(
            ["python benchmarks/bench_linking.py --only", case, *without_places(options)]
        )
        figures[case]["machine"] = machine()
        for name, value in figures[case].items():
            print(f"{name:45} {value:,.3f}" if isinstance(value, float) else f"{name:45} {value}")
        if given.json:
            given.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
