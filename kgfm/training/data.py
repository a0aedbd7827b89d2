"""Batches of prepared texts, of like length, sharded among processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import Any, Protocol, runtime_checkable

import lightning as L
import numpy as np
from torch.utils.data import DataLoader, Sampler

POOL_BATCHES = 32


@runtime_checkable
class Tokens(Protocol):
    """A text made ready, such as :class:`kgfm.batch.Prepared`."""

    @property
    def num_tokens(self) -> int: ...

    @property
    def known(self) -> bool:
        """Whether what is right is known."""


@runtime_checkable
class Packs(Protocol):
    """What puts prepared texts into a batch, such as :class:`kgfm.batch.Collator`."""

    def pack(self, prepared: Sequence[Any], /) -> Any: ...


class LengthBuckets(Sampler[list[int]]):
    """Random batches of rows of like length: little padding, and never two texts in one row.

    Rows are shuffled, cut into pools of some batches, sorted by length within a pool, cut into
    batches, and the batches shuffled. Each process takes every n-th batch; all take equally many.

    Args:
        lengths: Of each row, in tokens.
        batch_size: Rows in a batch.
        seed: Of the order; each epoch has an order of its own.
        shuffle: ``False`` sorts all rows by length, and gives each of them exactly once.
        num_replicas: Number of processes that share the rows.
        rank: Of this process among them.
        groups: Numbers of rows; those of one number come in pairs when shuffled, with each other
            anew in each epoch, as far as they go.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        num_replicas: int = 1,
        rank: int = 0,
        groups: Sequence[int] | None = None,
    ) -> None:
        self.lengths = np.asarray(lengths)
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.num_replicas = num_replicas
        self.rank = rank
        self.groups = groups
        self.epoch = 0

    @property
    def sampler(self) -> LengthBuckets:
        """Itself: where Lightning looks for ``set_epoch``."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of this epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        rows = len(self.lengths)
        steps = -(-rows // (self.batch_size * self.num_replicas))
        if self.shuffle:
            return steps
        if rows < self.num_replicas:
            raise ValueError(
                f"{rows} texts are too few for {self.num_replicas} processes; give more, or use "
                "fewer devices."
            )
        return min(steps, rows // self.num_replicas)

    def __iter__(self) -> Iterator[list[int]]:
        total = len(self) * self.num_replicas
        # All processes must take equally many steps, so in training some batches may come twice.
        batches = cycle(self._shuffled()) if self.shuffle else self._sorted(total)
        yield from islice(batches, self.rank, total, self.num_replicas)

    def _sorted(self, batches: int) -> Iterator[list[int]]:
        """Every row once, in batches that differ in size by one at most."""
        rows = np.argsort(self.lengths, kind="stable")
        return (part.tolist() for part in np.array_split(rows, batches))

    def _shuffled(self) -> list[list[int]]:
        size = self.batch_size
        random = np.random.default_rng((self.seed, self.epoch))
        if self.groups is not None:
            return self._in_pairs(random)
        rows = random.permutation(len(self.lengths))
        pool = size * POOL_BATCHES
        batches = []
        for start in range(0, len(rows), pool):
            part = rows[start : start + pool]
            part = part[np.argsort(self.lengths[part], kind="stable")]
            batches += [part[i : i + size].tolist() for i in range(0, len(part), size)]
        return [batches[row] for row in random.permutation(len(batches))]

    def _in_pairs(self, random: np.random.Generator) -> list[list[int]]:
        """Batches of pairs of a group, by chance; a row without a partner comes alone."""
        of_group: dict[int, list[int]] = {}
        for row in random.permutation(len(self.lengths)).tolist():
            of_group.setdefault((self.groups or ())[row], []).append(row)
        pairs = [rows[n : n + 2] for rows in of_group.values() for n in range(0, len(rows), 2)]
        rows = [row for pair in random.permutation(len(pairs)) for row in pairs[pair]]
        return [rows[n : n + self.batch_size] for n in range(0, len(rows), self.batch_size)]


class PreparedData(L.LightningDataModule):
    """Training, validation and test texts, prepared once, packed into batches as they are needed.

    Args:
        collator: Packs a batch.
        train: Prepared training texts.
        validation: Prepared validation texts.
        test: Prepared test texts.
        batch_size: Rows in a batch.
        seed: Of the order of the training texts.
        num_workers: Processes that pack.
        groups: Of the training texts; see :class:`LengthBuckets`.
    """

    def __init__(
        self,
        collator: Packs,
        *,
        train: Sequence[Tokens] = (),
        validation: Sequence[Tokens] = (),
        test: Sequence[Tokens] = (),
        batch_size: int = 32,
        seed: int = 0,
        num_workers: int = 0,
        groups: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.groups = groups
        self.collator = collator
        self.train = train
        self.validation = validation
        self.test = test
        self.batch_size = batch_size
        self.seed = seed
        self.num_workers = num_workers

    def train_dataloader(self) -> DataLoader[Any]:
        return self._loader(self.train, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return self._loader(self.validation, shuffle=False)

    def test_dataloader(self) -> DataLoader[Any]:
        return self._loader(self.test, shuffle=False)

    def _loader(self, rows: Sequence[Tokens], *, shuffle: bool) -> DataLoader[Any]:
        lengths = [row.num_tokens for row in rows]
        # Those of the trainer, which may be alone within a group that trained together.
        trainer = self.trainer
        buckets = LengthBuckets(
            lengths,
            self.batch_size,
            seed=self.seed,
            shuffle=shuffle,
            num_replicas=trainer.world_size if trainer else 1,
            rank=trainer.global_rank if trainer else 0,
            groups=self.groups if shuffle else None,
        )
        return DataLoader(
            rows,  # type: ignore[arg-type]
            batch_sampler=buckets,
            collate_fn=self.collator.pack,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
        )
