"""How long `import kgfm` takes, against the libraries that it loads when needed.

Run: python benchmarks/bench_import.py
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

TIMED = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def seconds(module: str, times: int) -> float:
    """Median over new processes of the time that an import takes."""
    command = [sys.executable, "-c", TIMED.format(module)]
    runs = [
        float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(times)
    ]
    return statistics.median(runs)


def main() -> None:
    """Print one line for each module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="processes for each module")
    times = parser.parse_args().times
    for module in ("kgfm", "kgfm.graph", "kgfm.pipeline", "torch", "transformers", "lightning"):
        print(f"import {module:<14} {seconds(module, times):6.3f} s")


if __name__ == "__main__":
    main()
