"""Commands killed while they work."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Iterator


def killed_at_moments(
    command: list[str], environment: dict[str, str], *, times: int, within: float = 3.0
) -> Iterator[None]:
    """Run a command until it was killed so many times, each at a random moment of `within` seconds.

    The seconds count from the first line that the command prints. A run that ends before its
    moment shortens them, so that a fast machine is interrupted as often as a slow one.
    """
    moments, span, killed = random.Random(0), within, 0
    for _ in range(5 * times):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
        with process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(moments.uniform(0.0, span))
            process.send_signal(signal.SIGKILL)
        yield
        if process.returncode != -signal.SIGKILL:
            span *= 0.7
            continue
        killed += 1
        if killed == times:
            return
    raise AssertionError(f"killed {killed} of {times} times: the command ends before it is reached")
