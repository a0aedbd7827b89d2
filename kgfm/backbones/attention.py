"""The attention that lets extra tokens join, in the models of ``transformers`` as they are."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask, sdpa_mask

from kgfm.backbones.extra import Extra, Joined, JoinedByFunction, JoinedByModule


def joined(
    model: PreTrainedModel, extra: Extra, text_mask: Tensor, *, first: int, last: int
) -> Joined:
    """Let extra tokens join a pass through ``model``, from layer ``first`` to layer ``last``.

    Raises:
        ValueError: The model's attention cannot be joined; the message names the way out.
    """
    mask = text_mask.bool()
    if _own_attention(model):
        return JoinedByModule(extra, mask, first=first, last=last)
    _listen_to(model)
    rotate = getattr(model, "rotary_emb", None)
    return JoinedByFunction(extra, mask, first=first, last=last, rotate=rotate)


def hook_own_attention(model: PreTrainedModel) -> None:
    """Hook onto attention that is a module; it gives what it gave while no extra token joins."""
    for module in _own_attention(model):
        module.register_forward_hook(_Attention(), with_kwargs=True)


def _own_attention(model: PreTrainedModel) -> list[nn.Module]:
    if model.config.model_type != "deberta-v2":
        return []
    return [m for m in model.modules() if type(m).__name__ == "DisentangledSelfAttention"]


class _Attention:
    """The forward hook of one attention module; a class, so that a model can be pickled."""

    def __call__(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
        now = Joined.now.get()
        return None if now is None else now.step(module, args, kwargs, output)


def _listen_to(model: PreTrainedModel) -> None:
    """Have the model ask kgfm's attention function, which asks the one that it had.

    Stays so after the pass, and so two threads may run the model at the same time: while no extra
    token joins, the function that the model had is called and nothing else.
    """
    name = model.config._attn_implementation
    if name in _KNOWN.values():
        return
    if name not in _KNOWN or not getattr(model, "_supports_attention_backend", False):
        raise ValueError(
            f"No extra token can join the texts of {type(model).__name__} with {name!r} attention. "
            "With sdpa or eager attention it works for BERT, RoBERTa, DistilBERT, ELECTRA, "
            "ModernBERT and DeBERTa-v2; a fusion without extra tokens, such as 'cross-attention', "
            "works for every backbone."
        )
    model.set_attn_implementation(_KNOWN[name])


def _sdpa(module: nn.Module, *args: Any, **settings: Any) -> Any:
    return _attend(sdpa_attention_forward, module, *args, **settings)


def _eager(module: nn.Module, *args: Any, **settings: Any) -> Any:
    # Each family keeps its eager attention beside its modules, under this name.
    base = vars(sys.modules[type(module).__module__])["eager_attention_forward"]
    return _attend(base, module, *args, **settings)


def _attend(base: Callable[..., Any], module: nn.Module, *args: Any, **settings: Any) -> Any:
    now = Joined.now.get()
    if now is None:
        return base(module, *args, **settings)
    return now.step(base, module, *args, **settings)


# A name of kgfm's own each: nobody else's model is touched. It is not written to config files.
_KNOWN = {"sdpa": "kgfm_sdpa", "eager": "kgfm_eager"}
AttentionInterface.register("kgfm_sdpa", _sdpa)
AttentionInterface.register("kgfm_eager", _eager)
AttentionMaskInterface.register("kgfm_sdpa", sdpa_mask)
AttentionMaskInterface.register("kgfm_eager", eager_mask)
