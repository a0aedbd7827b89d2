"""Extra tokens that go along with a text through the upper layers and leave it as it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional


@dataclass
class Extra:
    """Tokens behind the text's own, from one layer on; after the last layer they are left out.

    In each layer a text's token takes ``plain + gate (full - plain)``, where ``plain`` is its
    attention to the text alone and ``full`` that to the text and the extra tokens. With a gate of
    zero the text is read as without them, to the bit, and the gate has a gradient.

    Args:
        states: In the scale of the tokens that enter the layer.
        mask: False for a slot without a token. A text with none is read as without, always.
        gate: One for each layer from this one to the last.
        sees: Whether a row reads a column; rows and columns are the text's tokens, then the extra
            ones. By default everything does that is not padding. Among the text's own tokens the
            model itself decides, by a local window, say, which holds only there.
        position: Where each stands in the text, for backbones whose layers ask (ModernBERT,
            DeBERTa); by default at its beginning. The others know no position behind the
            embeddings: add it to ``states``.
    """

    states: Float[Tensor, "batch extra width"]
    mask: Bool[Tensor, "batch extra"]
    gate: Float[Tensor, "layer"]
    sees: Bool[Tensor, "batch all all"] | None = None
    position: Int[Tensor, "batch extra"] | None = None


class Joined:
    """Extra tokens on their way through the layers of one forward pass.

    The text's own tokens run through a layer in the shape that they have without company, since
    a matrix product of another shape may round otherwise; only their attention is changed.

    Args:
        extra: The tokens.
        text_mask: True for the text's own tokens.
        first: Number of the first layer that they go through.
        last: Number of the last layer of all.
        rotate: ``(states, position, kind of layer)`` to the cosines and sines of their places.

    Raises:
        ValueError: There is not one gate for each layer.
    """

    now: ContextVar[Joined | None] = ContextVar("kgfm_joined", default=None)

    def __init__(
        self,
        extra: Extra,
        text_mask: Bool[Tensor, "batch token"],
        *,
        first: int,
        last: int,
        rotate: Callable[..., Any] | None = None,
    ) -> None:
        if extra.gate.shape[0] != last - first + 1:
            raise ValueError(
                f"{extra.gate.shape[0]} gates for extra tokens in layers {first} to {last}; "
                f"give {last - first + 1}, one for each of these layers."
            )
        self.states = extra.states
        self.last = last
        self.rotate = rotate
        self.num_tokens = text_mask.shape[1]
        one = torch.zeros(1, extra.states.shape[1], dtype=torch.long, device=extra.states.device)
        self.position = one if extra.position is None else extra.position
        keys = torch.cat([text_mask, extra.mask], 1)[:, None]
        sees = keys.expand(-1, keys.shape[2], -1) if extra.sees is None else keys & extra.sees
        self.sees: Bool[Tensor, "batch all all"] = sees
        # Without extra tokens there is nothing to add, and a rounding error would be something.
        self._gates = extra.gate[:, None] * extra.mask.any(1)
        self._first = first
        self.step: Callable[..., Any] = self._join

    def before(self, number: int, layer: nn.Module, args: tuple[Any, ...], kwargs: Any) -> None:
        """Make ready for one layer, before the text's own tokens go through it.

        Raises:
            ValueError: The layer will be computed again for its gradient, when no token joins.
        """
        if getattr(layer, "gradient_checkpointing", False) and layer.training:
            raise ValueError(
                "Extra tokens cannot join layers with gradient checkpointing; switch it off, or "
                "take a fusion without extra tokens, such as 'cross-attention'."
            )
        self._gate = self._gates[number - self._first]
        self._go_on = number < self.last
        self.step = self._join

    def after(self, number: int, layer: nn.Module, args: tuple[Any, ...], kwargs: Any) -> None:
        """Bring the extra tokens through the layer, with the attention that was found for them."""
        if not self._go_on:
            return  # nobody reads them any more
        self.step = self._replay
        args, kwargs = self.own(layer, args, kwargs)
        output = layer.forward(*args, **kwargs)
        self.states = output[0] if isinstance(output, tuple) else output

    def own(
        self, layer: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return a layer's arguments with the extra tokens in the place of the text's."""
        return (self.states, *args[1:]), dict(kwargs)

    def gated(self, plain: Tensor, change: Tensor) -> Tensor:
        """Return ``plain + gate change``, batch first."""
        gate = self._gate.to(plain.dtype).view(-1, *[1] * (plain.ndim - 1))
        return plain + gate * change.to(plain.dtype)

    def _join(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def _replay(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


class JoinedByFunction(Joined):
    """Extra tokens in a model that asks ``transformers`` for its attention function."""

    def before(self, number: int, layer: nn.Module, args: tuple[Any, ...], kwargs: Any) -> None:
        super().before(number, layer, args, kwargs)
        self.step = self._note
        args, kwargs = self.own(layer, args, kwargs)
        with suppress(_Noted):
            layer.forward(*args, **kwargs)
            raise ValueError(
                f"{type(layer).__name__} computes its attention in a way of its own, so no extra "
                "token can join its text; take another backbone, or a fusion without extra tokens "
                "such as 'cross-attention'."
            )
        self.step = self._join

    def own(
        self, layer: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        args, given = super().own(layer, args, kwargs)
        if given.get("position_embeddings") is not None:
            if self.rotate is None or not hasattr(layer, "attention_type"):
                raise ValueError(
                    f"kgfm does not know how {type(layer).__name__} turns the places of tokens; "
                    "take ModernBERT, or a fusion without extra tokens such as 'cross-attention'."
                )
            given["position_embeddings"] = self.rotate(
                self.states, self.position, layer.attention_type
            )
        return args, given

    def _note(self, _: Any, module: nn.Module, *qkv: Any, **settings: Any) -> Any:
        """Keep the extra tokens' queries, keys and values, and stop."""
        self._kept = qkv[:3]
        raise _Noted

    def _join(
        self,
        base: Callable[..., Any],
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        **settings: Any,
    ) -> Any:
        plain, weights = base(module, query, key, value, mask, **settings)
        own_query, own_key, own_value = self._kept
        scaling = settings.get("scaling") or query.shape[-1] ** -0.5
        share = self._share(query, key, own_key, mask, scaling)
        share = functional.dropout(share, settings.get("dropout", 0.0)).to(value.dtype)
        read = (share @ own_value).transpose(1, 2)
        change = read - share.sum(-1).transpose(1, 2)[..., None] * plain
        if self._go_on:
            keys, values = torch.cat([key, own_key], 2), torch.cat([value, own_value], 2)
            bias = _bias(self.sees[:, None, self.num_tokens :], query.dtype)
            self._found, _ = base(module, own_query, keys, values, bias, **settings)
        return self.gated(plain, change), weights

    def _share(
        self, query: Tensor, key: Tensor, own_key: Tensor, mask: Tensor | None, scaling: float
    ) -> Float[Tensor, "batch head token extra"]:
        """Return how much of its attention each token gives to each extra one, among them all.

        With ``p`` this share, ``full - plain = p V - sum(p) plain``: only the scores of the text's
        own tokens are needed a second time.
        """
        scores = (query @ key.transpose(2, 3)).float() * scaling
        if mask is not None:
            scores = scores + (_bias(mask, scores.dtype) if mask.dtype == torch.bool else mask)
        sees = self.sees[:, None, : self.num_tokens, self.num_tokens :]
        extra = (query @ own_key.transpose(2, 3)).float() * scaling + _bias(sees, scores.dtype)
        both = torch.logaddexp(scores.logsumexp(-1), extra.logsumexp(-1))
        return (extra - both[..., None]).exp()

    def _replay(self, _: Any, module: nn.Module, *args: Any, **settings: Any) -> Any:
        return self._found, None


class JoinedByModule(Joined):
    """Extra tokens in DeBERTa-v2, whose attention is a module with masks and distances of its own.

    That module runs a second time, over the text's tokens and the extra ones together.
    """

    def own(
        self, layer: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        # What the module finds for the extra tokens alone is thrown away: any mask will do.
        anything = self.sees.new_ones(1, 1, 1, 1)
        return (self.states, anything, *args[2:]), {**kwargs, "relative_pos": None}

    def _join(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
        sees = self.sees[:, None].clone()
        own = (..., slice(self.num_tokens), slice(self.num_tokens))
        sees[own] &= args[1].bool()
        kwargs = {**kwargs, "relative_pos": self._distances(module, kwargs["relative_pos"])}
        both = torch.cat([args[0], self.states], 1)
        full = module.forward(both, sees, *args[2:], **kwargs)[0]
        self._found = full[:, self.num_tokens :]
        change = full[:, : self.num_tokens] - output[0]
        return (self.gated(output[0], change), *output[1:])

    def _replay(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
        return (self._found, *output[1:])

    def _distances(
        self, module: Any, own: Tensor | None
    ) -> Int[Tensor, "1 batch_head all all"] | None:
        """Return the distances of all tokens, in the model's own buckets."""
        from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position

        if own is None:
            return None
        place = torch.arange(self.num_tokens, device=own.device).expand(self.position.shape[0], -1)
        place = torch.cat([place, self.position], 1)
        distance = place[:, :, None] - place[:, None, :]
        if module.position_buckets > 0 and module.max_relative_positions > 0:
            distance = make_log_bucket_position(
                distance, module.position_buckets, module.max_relative_positions
            )
        if distance.shape[0] > 1:
            distance = distance.repeat_interleave(module.num_attention_heads, 0)
        every: Tensor = distance.long()[None]
        return every


def _bias(
    sees: Bool[Tensor, "batch head row column"], dtype: torch.dtype
) -> Float[Tensor, "batch head row column"]:
    """Zero where a row reads a column, and very low elsewhere."""
    # A low number and not minus infinity, which would make a row of padding NaN; half the lowest,
    # so that scores may be added to it.
    return torch.zeros_like(sees, dtype=dtype).masked_fill(~sees, torch.finfo(dtype).min / 2)


class _Noted(Exception):
    """Stops a layer once the queries, keys and values of the extra tokens are known."""
