"""The weights of the linker's choice: those that ship with kgfm, or learned ones, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from kgfm.linking.choice_model import Choices, Logits, logits
from kgfm.storage import DamagedFileError, replace_file

KIND, FORMAT = "linker weights", 1


@dataclass(frozen=True)
class Weights:
    """What one kind of ranking has learned.

    Args:
        candidate: Weight of each feature of a candidate, by its name.
        span: Weight of each feature of a span, towards NIL.
        temperature: What the logits are divided by.
        threshold: A link of lower probability is NIL.
        nil: The share of NIL among the spans that this was learned from.
    """

    candidate: Mapping[str, float]
    span: Mapping[str, float]
    temperature: float
    threshold: float
    nil: float | None = None

    def logits(self, choices: Choices, candidate: Sequence[str], span: Sequence[str]) -> Logits:
        """Return the logits; ``candidate`` and ``span`` name the columns of the features."""
        found = logits(choices, _row(self.candidate, candidate), _row(self.span, span))
        return Logits(found.candidates / self.temperature, found.nil / self.temperature)


@dataclass(frozen=True)
class LinkerWeights:
    """Weights for each kind of ranking: with coherence and context or without, spans given or not.

    Where spans are given, somebody says that each means something, and their looks say little.

    Args:
        kinds: By :func:`kind_of`.
    """

    kinds: Mapping[str, Weights]

    def of(self, *, coherence: bool, context: bool, given: bool = False) -> Weights:
        """Return those of one kind.

        Raises:
            ValueError: They were not learned for it.
        """
        kind = kind_of(coherence=coherence, context=context, given=given)
        if kind not in self.kinds:
            raise ValueError(
                f"These weights are for {', '.join(self.kinds)}, not for {kind!r}; fit the linker "
                "as it will be used."
            )
        return self.kinds[kind]

    def record(self) -> dict[str, Any]:
        """Return the weights as JSON."""
        return {
            "kind": KIND,
            "format": FORMAT,
            "weights": {kind: asdict(weights) for kind, weights in self.kinds.items()},
        }

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> LinkerWeights:
        """Return the weights that :meth:`record` wrote.

        Raises:
            DamagedFileError: It is not such a record, or a number of it is none.
        """
        try:
            version, kind = int(record["format"]), record["kind"]
            kinds = {name: _checked(Weights(**one)) for name, one in record["weights"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DamagedFileError(f"The weights of a linker are damaged ({error}).") from None
        if kind != KIND or version > FORMAT:
            raise DamagedFileError(
                f"Weights of a linker in format {FORMAT} would do; got {kind!r} in {version}."
            )
        return cls(kinds)

    def save(self, path: str | Path) -> None:
        """Write the weights to a file of JSON, atomically."""
        replace_file(Path(path), (json.dumps(self.record(), indent=1) + "\n").encode())

    @classmethod
    def load(cls, path: str | Path) -> LinkerWeights:
        """Read the weights from a file.

        Raises:
            DamagedFileError: It is no such file.
        """
        try:
            record = json.loads(Path(path).read_bytes())
        except ValueError as error:
            raise DamagedFileError(f"{path} is no JSON ({error}).") from None
        return cls.of_record(record)

    def __repr__(self) -> str:
        mark = sha256(json.dumps(self.record(), sort_keys=True).encode()).hexdigest()
        return f"LinkerWeights({mark[:8]})"


def kind_of(*, coherence: bool, context: bool, given: bool = False) -> str:
    """Return the name of a kind of ranking, such as ``coherence+context``."""
    used_parts = {"coherence": coherence, "context": context, "given": given}
    parts = [name for name, used in used_parts.items() if used]
    return "+".join(parts) or "names"


@cache
def shipped_weights() -> LinkerWeights:
    """Return the weights that ship with kgfm, learned from texts about its world graph."""
    return LinkerWeights.load(Path(__file__).with_name("weights.json"))


def resolve_weights(
    given: LinkerWeights | Mapping[str, Any] | str | Path | None,
) -> LinkerWeights | None:
    """Return weights that are given as such, as their record, or as the path of a file."""
    if given is None or isinstance(given, LinkerWeights):
        return given
    if isinstance(given, Mapping):
        return LinkerWeights.of_record(given)
    return LinkerWeights.load(given)


def _row(weights: Mapping[str, float], names: Sequence[str]) -> np.ndarray:
    return np.array([weights.get(name, 0.0) for name in names])


def _checked(weights: Weights) -> Weights:
    numbers = [*weights.candidate.values(), *weights.span.values()]
    numbers += [weights.temperature, weights.threshold]
    if not np.isfinite(np.array(numbers, float)).all() or weights.temperature <= 0:
        raise ValueError("every weight is a finite number, and the temperature above 0")
    if weights.nil is not None and not 0 <= weights.nil <= 1:
        raise ValueError("the share of NIL is a number from 0 to 1")
    return weights
