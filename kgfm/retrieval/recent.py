"""Answers that are remembered for a while, and a fuse for a server that keeps failing."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Generic, TypeVar

from kgfm.stores.server import ServerUnavailableError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class RecentCache(Generic[K, V]):
    """The values used last, none older than ``seconds``; safe between threads.

    Args:
        size: Number of values at most; 0 remembers none.
        seconds: Age at which a value is forgotten.
        clock: Tells the time.
    """

    def __init__(
        self, size: int, seconds: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._size, self._seconds, self._clock = size, seconds, clock
        self._values: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        """Return the value, or ``None`` where there is none or it is too old."""
        with self._lock:
            if key not in self._values:
                return None
            written, value = self._values[key]
            if self._clock() - written > self._seconds:
                del self._values[key]
                return None
            self._values.move_to_end(key)
            return value

    def put(self, key: K, value: V) -> None:
        """Remember a value; the one that was not used for longest makes room."""
        with self._lock:
            self._values[key] = self._clock(), value
            self._values.move_to_end(key)
            while len(self._values) > self._size:
                self._values.popitem(last=False)

    def __len__(self) -> int:
        return len(self._values)


class CircuitBreaker:
    """Ask a failing server no more for a while, so that nobody waits for its time-outs.

    After ``failures`` failures in a row the circuit is open: calls fail at once, for ``pause``
    seconds. Then one call is let through; if it succeeds the circuit closes, else it stays open for
    another pause.

    Args:
        failures: In a row, until it opens.
        pause: Seconds.
        clock: Tells the time.
    """

    def __init__(
        self, failures: int = 3, pause: float = 10.0, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.failures, self.pause = failures, pause
        self._clock = clock
        self._failed, self._closes = 0, 0.0
        self._lock = Lock()

    @property
    def is_open(self) -> bool:
        """Whether a call would fail at once."""
        return self._failed >= self.failures and self._clock() < self._closes

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Run a call unless the circuit is open, and learn from how it goes.

        Raises:
            ServerUnavailableError: The circuit is open.
        """
        with self._lock:
            if self.is_open:
                left = self._closes - self._clock()
                raise ServerUnavailableError(
                    f"The graph server failed {self._failed} times in a row; it is asked again in "
                    f"{left:.1f} s."
                )
            if self._failed >= self.failures:  # this call is the trial; others go on failing
                self._closes = self._clock() + self.pause
        try:
            yield
        except ServerUnavailableError:
            with self._lock:
                self._failed += 1
                self._closes = self._clock() + self.pause
            raise
        with self._lock:
            self._failed = 0
