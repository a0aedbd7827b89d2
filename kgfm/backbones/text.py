"""A frozen sentence encoder: list of texts in, one vector each out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from kgfm.backbones import saved
from kgfm.backbones.backbone import Backbone
from kgfm.backbones.load import load_backbone
from kgfm.inputs import texts_in

_PASS_TOKENS, _PADDING = 24, 0.1


def mean_pool(
    tokens: Float[torch.Tensor, "batch token width"], attention_mask: torch.Tensor
) -> Float[torch.Tensor, "batch width"]:
    """Average the tokens that are not padding (Reimers and Gurevych, 2019, sec. 3)."""
    mask = attention_mask.to(tokens.dtype)[..., None]
    return (tokens * mask).sum(1) / mask.sum(1).clamp(min=1.0)


class TextEncoder:
    """Mean-pooled, length-normalised vectors of texts by a frozen backbone.

    Args:
        backbone: Name or mapping, loaded when first used, or a ready one; never changed.
        max_tokens: Longer texts are cut.
        batch_tokens: Tokens, padding included, in one forward pass.
        marks: What stands before and behind a mention in the texts that it was trained on, if it
            was trained to read marked mentions; a linker then marks each mention.
    """

    def __init__(
        self,
        backbone: str | Mapping[str, Any] | Backbone = "minilm",
        *,
        max_tokens: int = 128,
        batch_tokens: int = 4096,
        marks: tuple[str, str] | None = None,
    ) -> None:
        self._given = backbone
        self.max_tokens = max_tokens
        self.batch_tokens = batch_tokens
        self.marks = marks
        self.folder: Path | None = None

    @cached_property
    def backbone(self) -> Backbone:
        return load_backbone(self._given)

    @property
    def name(self) -> str:
        """Says which encoder made a vector; part of a file's name.

        A ready backbone may have been trained, so its weights are part of the name.
        """
        given = self._given
        if isinstance(given, Mapping):
            name = "-".join([given["name"], *(f"{k}{v}" for k, v in given.items() if k != "name")])
        elif isinstance(given, str):
            name = given
        else:
            name = f"{Path(given.name).name}-{given.weights_hash()[:16]}"
        return f"{name.replace('/', '--')}-{self.max_tokens}"

    @property
    def is_named(self) -> bool:
        """Whether its backbone was given by a name, so that another process can make its like."""
        return not isinstance(self._given, Backbone)

    def save(self, folder: str | Path) -> None:
        """Write the encoder to a folder: safetensors and JSON, hashes, one commit."""
        saved.save_encoder(self, Path(folder))
        self.folder = Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> TextEncoder:
        """Read what :meth:`save` wrote, every hash checked.

        Raises:
            FileNotFoundError: There is none.
            DamagedFileError: A file is missing, truncated or changed.
        """
        backbone, settings = saved.read_encoder(Path(folder))
        encoder = cls(backbone, **settings)
        encoder.folder = Path(folder)
        return encoder

    @torch.inference_mode()
    def __call__(
        self, texts: Sequence[str], progress: Callable[[int, int], None] | None = None
    ) -> Float[np.ndarray, "text width"]:
        """Return one vector of length 1 per text; ``progress`` is told of (done, total) texts.

        Raises:
            TypeError: These are not several texts, or one of them is no ``str``.
        """
        texts = [*texts_in(texts, "encode")]
        if not texts:
            return np.zeros((0, self.backbone.width), dtype=np.float32)
        was_training = self.backbone.training
        self.backbone.eval()
        device = next(self.backbone.parameters()).device
        ids = self.backbone.tokenizer(
            texts, truncation=True, max_length=min(self.max_tokens, self.backbone.max_tokens)
        )["input_ids"]
        vectors = np.zeros((len(ids), self.backbone.width), dtype=np.float32)
        done = 0
        for rows in _batches([len(row) for row in ids], self.batch_tokens):
            padded = self.backbone.tokenizer.pad(
                {"input_ids": [ids[row] for row in rows]}, return_tensors="pt"
            ).to(device)
            tokens = self.backbone(padded["input_ids"], padded["attention_mask"])
            pooled = mean_pool(tokens, padded["attention_mask"])
            vectors[rows] = torch.nn.functional.normalize(pooled, dim=-1).cpu().numpy()
            done += len(rows)
            if progress is not None:
                progress(done, len(ids))
        self.backbone.train(was_training)
        return vectors


def _batches(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Group rows of like length so that rows x longest stays within ``batch_tokens``.

    A further forward pass costs as much as some tokens, and so a group also ends where it would
    hold more padding than that, and more than a tenth.
    """
    batches: list[list[int]] = []
    padding = 0
    for row in np.argsort(lengths, kind="stable")[::-1].tolist():
        if batches:
            longest = lengths[batches[-1][0]]
            total = (len(batches[-1]) + 1) * longest
            padding += longest - lengths[row]
            if total <= batch_tokens and padding <= max(_PASS_TOKENS, _PADDING * total):
                batches[-1].append(row)
                continue
        batches.append([row])
        padding = 0
    return batches
