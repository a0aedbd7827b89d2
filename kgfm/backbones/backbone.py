"""A Hugging Face encoder whose layers can be listened to, frozen from below, and skipped."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from kgfm.backbones.attention import hook_own_attention, joined
from kgfm.backbones.extra import Extra, Joined

Inject = Callable[[int, Tensor], Tensor]
"""Called after each layer with its number and its tokens; returns the tokens to go on with."""

Before = Callable[[int, Tensor], tuple[Tensor, Extra | None]]
"""Called before each layer with its number and the tokens that enter it (before layer 0, those of
the embeddings); returns the tokens to go on with, and extra tokens that join them from here on."""


@dataclass
class _Pass:
    """One forward pass, for the hooks of the layers."""

    backbone: Backbone
    text_mask: Tensor
    inject: Inject | None
    before: Before | None
    lower_states: Tensor | None

    def enter(self, number: int, tokens: Tensor) -> Tensor:
        """Return the tokens that a layer reads; extra ones join on the way."""
        if number == self.backbone.freeze and self.lower_states is not None:
            tokens = self.lower_states
        if self.before is None:
            return tokens
        tokens, extra = self.before(number, tokens)
        if extra is not None:
            layers = {"first": number, "last": self.backbone.num_layers - 1}
            Joined.now.set(joined(self.backbone.model, extra, self.text_mask, **layers))
        return tokens


# A context variable and not an attribute: two threads may run one model at the same time.
_PASS: ContextVar[_Pass | None] = ContextVar("kgfm_pass", default=None)


class Backbone(nn.Module):
    """A transformer encoder, its tokenizer, and access to its layers.

    Args:
        model: Any encoder of ``transformers`` that keeps its ``config.num_hidden_layers`` layers
            in one ``ModuleList``.
        tokenizer: Its (fast) tokenizer.
        name: What the user called it; saved with models.
        freeze: Number of lower layers, the embeddings with them, that are not trained and stay in
            evaluation mode. All else outside the layers above is frozen too, so that the states
            between the two never change.

    Raises:
        ValueError: The model shares its layers (ALBERT), or ``freeze`` leaves none to train.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        name: str,
        freeze: int = 0,
    ) -> None:
        super().__init__()
        self.model = model
        if getattr(model, "pooler", None) is not None:
            # Unused, and a parameter without a gradient breaks DDP.
            model.register_module("pooler", None)
        self.tokenizer = tokenizer
        self.name = name
        self._path = _find_layers(model)
        self.num_layers = len(self.layers)
        self.width = int(model.config.hidden_size)
        if not 0 <= freeze < self.num_layers:
            raise ValueError(
                f"freeze={freeze}, but {name!r} has {self.num_layers} layers and at least one "
                f"must be left to train: 0 to {self.num_layers - 1} would do."
            )
        self.freeze = freeze
        if freeze:
            self.model.requires_grad_(False)
            self.layers[freeze:].requires_grad_(True)
        for number, layer in enumerate(self.layers):
            layer.register_forward_pre_hook(_Entering(number), with_kwargs=True)
            layer.register_forward_hook(_Leaving(number), with_kwargs=True)
        hook_own_attention(model)
        self.train(model.training)  # as loaded: in evaluation mode

    def copy(self, *, freeze: int) -> Backbone:
        """Return another of the same weights, of which other layers learn.

        Raises:
            ValueError: ``freeze`` leaves no layer to train.
        """
        model = type(self.model)(self.model.config)
        model.load_state_dict(self.model.state_dict(), strict=False)  # a pooler is not there
        nn.Module.to(model, next(self.parameters()).device)
        return Backbone(model.eval(), self.tokenizer, name=self.name, freeze=freeze)

    @property
    def layers(self) -> nn.ModuleList:
        owner, attribute = self._path
        layers: nn.ModuleList = getattr(self.model.get_submodule(owner), attribute)
        return layers

    @property
    def max_tokens(self) -> int:
        """Longest text that the model can read, in tokens."""
        positions = int(getattr(self.model.config, "max_position_embeddings", 512))
        # RoBERTa counts its positions from padding_idx + 1.
        offset = 2 if "roberta" in self.model.config.model_type else 0
        return max(1, min(positions - offset, 8192))

    @property
    def skips_lower(self) -> bool:
        """Whether there are frozen layers, and their states may enter in their place."""
        return self.freeze > 0 and not self._convolves

    @property
    def _convolves(self) -> bool:
        """Whether a convolution stands beside the first layer, as in some DeBERTa."""
        return getattr(self.model.get_submodule(self._path[0]), "conv", None) is not None

    def train(self, mode: bool = True) -> Backbone:
        """Switch the trained layers; the frozen ones stay in evaluation mode (no dropout)."""
        super().train(mode)
        if self.freeze:
            self.model.eval()
            for layer in self.layers[self.freeze :]:
                layer.train(mode)
        return self

    def forward(
        self,
        input_ids: Int[Tensor, "batch token"],
        attention_mask: Tensor,
        inject: Inject | None = None,
        lower_states: Float[Tensor, "batch token width"] | None = None,
        *,
        before: Before | None = None,
    ) -> Float[Tensor, "batch token width"]:
        """Return the last layer's tokens, without any extra ones.

        Args:
            input_ids: From the tokenizer.
            attention_mask: 1 for tokens, 0 for padding.
            inject: Called after each layer.
            lower_states: Output of layer ``freeze - 1``; the layers below are then skipped.
            before: Called before each layer that is not skipped.
        """
        now = _Pass(self, attention_mask, inject, before, lower_states)
        with self._listen(now), self._skip_lower(lower_states):
            output = self.model(input_ids=input_ids, attention_mask=attention_mask)
        tokens: Tensor = output.last_hidden_state
        return tokens

    @torch.no_grad()
    def lower(self, input_ids: Tensor, attention_mask: Tensor) -> Float[Tensor, "b t width"]:
        """Return the states after the frozen layers, and run no other layer."""
        found: list[Tensor] = []

        def keep(number: int, tokens: Tensor) -> Tensor:
            if number == self.freeze - 1:
                found.append(tokens)
                raise _Enough
            return tokens

        with suppress(_Enough):
            self.forward(input_ids, attention_mask, keep)
        return found[0]

    @contextmanager
    def _listen(self, now: _Pass) -> Iterator[None]:
        given = (now.inject, now.before, now.lower_states)
        heard = _PASS.set(None if all(part is None for part in given) else now)
        alone = Joined.now.set(None)
        try:
            yield
        finally:
            Joined.now.reset(alone)
            _PASS.reset(heard)

    @contextmanager
    def _skip_lower(self, states: Tensor | None) -> Iterator[None]:
        """Hide the frozen layers from the model; the first one kept is handed their output."""
        if states is None:
            yield
            return
        if self._convolves:
            raise ValueError(
                f"{self.name!r} has a convolution beside its first layer, which cannot be skipped; "
                "train it without cached states."
            )
        owner, attribute = self.model.get_submodule(self._path[0]), self._path[1]
        layers = self.layers
        setattr(owner, attribute, layers[self.freeze :])
        try:
            yield
        finally:
            setattr(owner, attribute, layers)

    def lower_hash(self) -> str:
        """Hash of all that the states after the frozen layers depend on, besides the text."""
        return self._hash(
            {id(p) for layer in self.layers[self.freeze :] for p in layer.parameters()}
        )

    def weights_hash(self) -> str:
        """Hash of the whole model, which changes when it is trained."""
        return self._hash(set())

    def _hash(self, left_out: set[int]) -> str:
        digest = hashlib.sha256(f"{self.freeze} {self.model.config.to_json_string()}".encode())
        for name, parameter in self.model.named_parameters():
            if id(parameter) not in left_out:
                digest.update(name.encode())
                digest.update(parameter.detach().cpu().contiguous().view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def extra_repr(self) -> str:
        return f"{self.name!r}, layers={self.num_layers}, width={self.width}, freeze={self.freeze}"


class _Enough(Exception):
    """Stops a forward pass once the wanted states are there."""


class _Entering:
    """The hook before one layer; a class and not a closure, so that a model can be pickled."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        now = _PASS.get()
        if now is None:
            return None
        args = (now.enter(self.number, args[0]), *args[1:])
        beside = Joined.now.get()
        if beside is not None:
            beside.before(self.number, module, args, kwargs)
        return args, kwargs


class _Leaving:
    """The hook after one layer."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
        now = _PASS.get()
        if now is None:
            return None
        beside = Joined.now.get()
        if beside is not None:
            beside.after(self.number, module, args, kwargs)
        if now.inject is None:
            return None
        if isinstance(output, tuple):  # DeBERTa returns its attention beside the tokens
            return (now.inject(self.number, output[0]), *output[1:])
        return now.inject(self.number, output)


def _find_layers(model: PreTrainedModel) -> tuple[str, str]:
    """Return the owner's path and the attribute of the ``ModuleList`` that holds the layers."""
    wanted = int(model.config.num_hidden_layers)
    if hasattr(model.config, "num_hidden_groups"):
        raise ValueError(
            f"{type(model).__name__} shares one layer's weights among all {wanted} layers, so "
            "nothing can be injected at just one of them. Take an encoder with layers of its own, "
            "such as BERT, RoBERTa, DistilBERT, ELECTRA, DeBERTa-v2 or ModernBERT."
        )
    for path, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == wanted:
            owner, _, attribute = path.rpartition(".")
            return owner, attribute
    raise ValueError(
        f"{type(model).__name__} keeps no list of its {wanted} layers that kgfm can hook onto."
    )
