"""A backbone with its tokenizer, written to a folder with hashes and read from there."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel, AutoTokenizer

from kgfm.backbones.backbone import Backbone
from kgfm.storage import DamagedFileError, copies, file_path, read_manifest, write_folder

if TYPE_CHECKING:
    from kgfm.backbones.text import TextEncoder

KIND, FORMAT = "text encoder", 1


def write_backbone(backbone: Backbone, folder: Path) -> list[str]:
    """Write a backbone's settings and tokenizer; returns the names of the tokenizer's files."""
    backbone.tokenizer.save_pretrained(folder)
    names = sorted(path.name for path in folder.iterdir())
    (folder / "backbone.json").write_text(backbone.model.config.to_json_string(False))
    return names


def read_backbone(
    folder: Path, manifest: Mapping[str, Any], config: Mapping[str, Any], tokenizer_files: list[str]
) -> Backbone:
    """Build a backbone with its tokenizer as :func:`write_backbone` wrote them; no weights yet."""
    with tempfile.TemporaryDirectory() as temporary:
        for name in ("backbone.json", *tokenizer_files):
            source = file_path(folder, manifest, name, verify=True)
            target = "config.json" if name == "backbone.json" else name
            shutil.copyfile(source, Path(temporary) / target)
        model = AutoModel.from_config(AutoConfig.from_pretrained(temporary))
        tokenizer = AutoTokenizer.from_pretrained(temporary)
    return Backbone(model.eval(), tokenizer, **config)


def save_encoder(encoder: TextEncoder, folder: Path) -> None:
    """Write a text encoder so that a crash at any moment leaves the old one whole."""
    backbone = encoder.backbone
    state = {name: value.contiguous() for name, value in backbone.model.state_dict().items()}
    with tempfile.TemporaryDirectory() as temporary:
        config = {
            "backbone": {"name": backbone.name, "freeze": backbone.freeze},
            "tokenizer": write_backbone(backbone, Path(temporary)),
            "max_tokens": encoder.max_tokens,
            "marks": encoder.marks,
        }
        (Path(temporary) / "encoder.json").write_text(json.dumps(config, indent=1))
        files = copies(Path(temporary))
        files["encoder.safetensors"] = lambda path: save_file(state, path)
        write_folder(folder, files, {"kind": KIND, "format": FORMAT})


def read_encoder(folder: Path) -> tuple[Backbone, dict[str, Any]]:
    """Return the backbone of a text encoder, and the other arguments that it was made with."""
    manifest = read_manifest(folder, KIND, FORMAT)
    path = file_path(folder, manifest, "encoder.json", verify=True)
    weights = file_path(folder, manifest, "encoder.safetensors", verify=True)
    try:
        config = json.loads(path.read_bytes())
        backbone = read_backbone(folder, manifest, config.pop("backbone"), config.pop("tokenizer"))
        backbone.model.load_state_dict(load_file(weights))
        marks = None if config["marks"] is None else tuple(map(str, config["marks"]))
        settings = {"max_tokens": int(config["max_tokens"]), "marks": marks}
    except (KeyError, TypeError, ValueError, SafetensorError, RuntimeError) as error:
        raise DamagedFileError(f"The files in {folder} do not fit together: {error}") from None
    return backbone, settings
