"""Save and load a pipeline: JSON and safetensors, hashes checked, one commit.

A model folder holds ``manifest.json`` (format, hashes, graph), ``config.json``,
``model.safetensors``, the tokenizer's and the backbone's JSON files and the text vectors under
content names, a README card, and beside them the graph's snapshot.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file

import kgfm
from kgfm.backbones import Backbone, TextEncoder
from kgfm.backbones.saved import read_backbone, write_backbone
from kgfm.encoders import ENCODERS
from kgfm.fusion import FUSIONS
from kgfm.graph import KnowledgeGraph
from kgfm.linking import LINKERS, BaseLinker
from kgfm.linking.saved import remove_other_encoders, save_encoder, with_encoder
from kgfm.pipeline.words import source_of
from kgfm.registry import Registry
from kgfm.retrieval import RETRIEVERS, Graph, LiveGraph
from kgfm.storage import (
    DamagedFileError,
    copies,
    file_path,
    read_manifest,
    replace_file,
    write_folder,
)
from kgfm.tasks import TASKS
from kgfm.vectors import NodeVectors

if TYPE_CHECKING:
    from kgfm.pipeline.pipeline import Pipeline

KIND, FORMAT = "pipeline", 3
LEARNED = "retriever.safetensors"
"""What a retriever has learned."""
_PARTS = ("linker", "words", "retriever", "backbone", "encoder", "fusion", "task", "text_encoder")
_SETTINGS = ("max_tokens", "seed", "training", "tokenizer")
_CONFIG = (*_PARTS, *_SETTINGS)
"""The keys of ``config.json``."""
_GRAPH_NAME = re.compile(r"graph-[0-9a-f]{16}")


def save(pipeline: Pipeline, folder: Path, *, graph: str = "copy") -> None:
    """Save a pipeline so that a crash at any moment leaves the old one whole.

    Args:
        pipeline: What to save.
        folder: Where.
        graph: ``copy`` puts the snapshot and its vectors into the folder; ``link`` notes the path
            of a snapshot on disk, for graphs too large to copy.
    """
    if isinstance(pipeline.graph, LiveGraph):
        raise TypeError(
            "A live graph stays on its server and cannot be saved; save the pipeline over a "
            "snapshot, and load it with graph=the live graph."
        )
    if graph not in ("copy", "link"):
        raise ValueError(f"graph={graph!r}: 'copy' or 'link' would do.")
    own_encoder = save_encoder(getattr(pipeline.linker, "encode", None), folder)
    config = {
        **{kind: _written(kind, part) for kind, part in pipeline.parts.items()},
        "max_tokens": pipeline.max_tokens,
        "seed": pipeline.seed,
        "training": pipeline.training,
    }
    for kind in ("linker", "words"):
        ready = pipeline.parts[kind]
        if isinstance(ready, BaseLinker) and (source := source_of(ready, pipeline.graph)):
            config[kind]["source"] = source
    backbone = pipeline.model.backbone
    config["backbone"] = {"name": backbone.name, "freeze": backbone.freeze}
    if config["fusion"] is not None and not config["fusion"].get("layers"):
        config["fusion"]["layers"] = [int(layer) for layer in pipeline.model.fusions]
    if own_encoder is not None:
        config["linker"] = {**config["linker"], "encode": own_encoder}
    where = save_graph(pipeline.graph, folder, graph)
    state = {name: value.contiguous() for name, value in pipeline.model.state_dict().items()}
    with tempfile.TemporaryDirectory() as temporary:
        config["tokenizer"] = write_backbone(backbone, Path(temporary))
        (Path(temporary) / "config.json").write_text(json.dumps(config, indent=1))
        files = copies(Path(temporary))
        vectors = pipeline.vectors
        if graph == "copy" and isinstance(vectors, NodeVectors):
            files |= vectors.files()
        files["model.safetensors"] = lambda path: save_file(state, path)
        if pipeline.retriever is not None and pipeline.retriever.learns:
            learned = {k: np.ascontiguousarray(v) for k, v in pipeline.retriever.learned().items()}
            files[LEARNED] = lambda path: save_arrays(learned, path)
        write_folder(
            folder,
            files,
            {
                "kind": KIND,
                "format": FORMAT,
                "graph": where,
                "encoder": None if vectors is None else vectors.encoder,
                "versions": versions(),
            },
        )
    # What follows is for people and for tidiness; the manifest above was the commit.
    remove_other_encoders(folder, own_encoder)
    replace_file(folder / "README.md", _card(pipeline).encode())
    for old in folder.glob("graph-*"):
        # Of an earlier save; a folder of the user's own that begins like it has no such name.
        if _GRAPH_NAME.fullmatch(old.name) and (where is None or old.name != where["name"]):
            shutil.rmtree(old)


def versions() -> dict[str, str]:
    """Return the versions that a saved model's outputs depend on."""
    return {
        "kgfm": kgfm.__version__,
        "python": sys.version.split()[0],
        **{name: version(name) for name in ("torch", "transformers", "lightning")},
    }


def save_graph(graph: KnowledgeGraph | None, folder: Path, how: str) -> dict[str, Any] | None:
    """Copy a graph's snapshot into a folder, or note where it is; returns the manifest's entry."""
    if graph is None:
        return None
    name = f"graph-{graph.fingerprint[:16]}"
    where: dict[str, Any] = {"name": name, "fingerprint": graph.fingerprint}
    if how == "link":
        if graph.path is None:
            raise ValueError("This graph is only in memory; save it first, or use graph='copy'.")
        return where | {"path": str(graph.path.resolve())}
    path = folder / name
    if graph.path is None or graph.path.resolve() != path.resolve():
        graph.save(path)
    return where


def load(folder: Path, *, graph: Graph | None = None) -> Pipeline:
    """Load what :func:`save` wrote, every hash checked."""
    from kgfm.pipeline.pipeline import Pipeline

    again = f"train it again, kgfm train {folder / 'recipe.yaml'}, or from its data"
    manifest = read_manifest(folder, KIND, FORMAT, older=again)
    config = _read_config(folder, manifest)
    training, tokenizer, backbone_config = (
        config.pop(name) for name in ("training", "tokenizer", "backbone")
    )
    backbone = read_backbone(folder, manifest, backbone_config, tokenizer)
    vectors = None
    if graph is None and manifest.get("graph", {}) is not None:
        graph = load_graph(folder, manifest)
        if "path" not in manifest["graph"] and manifest["encoder"] is not None:
            vectors = NodeVectors.read(folder, manifest, verify=True)
    if isinstance(graph, LiveGraph):  # its server lists no names
        names = load_graph(folder, manifest)
        encode = TextEncoder(config["text_encoder"])
        for kind in ("linker", "words"):
            if config[kind] is not None:
                config[kind] = LINKERS.build(config[kind], graph=names, encode=encode)
        # What its relations are called need not be asked when one is met.
        graph.learn({}, dict(zip(names.relation_keys, names.relation_labels, strict=True)))
    pipeline = Pipeline(graph, **config, backbone=backbone, vectors=vectors)
    pipeline.training = training
    if pipeline.retriever is not None and pipeline.retriever.learns:
        learned = load_arrays(file_path(folder, manifest, LEARNED, verify=True))
        pipeline.retriever.restore(learned)
    weights = file_path(folder, manifest, "model.safetensors", verify=True)
    try:
        pipeline.model.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError) as error:
        raise DamagedFileError(f"{weights} does not fit its config.json: {error}") from None
    return pipeline


def _read_config(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    path = file_path(folder, manifest, "config.json", verify=True)
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for name in _CONFIG:
        if name not in config:
            raise DamagedFileError(f"The config.json in {folder} lacks {name!r}; save it anew.")
    if "encoder" not in manifest:
        raise DamagedFileError(f"The manifest in {folder} lacks 'encoder'; save it anew.")
    if isinstance(config["linker"], dict):
        config["linker"] = with_encoder(config["linker"], folder)
    return {name: config[name] for name in _CONFIG}


def load_graph(folder: Path, manifest: Mapping[str, Any]) -> KnowledgeGraph:
    """Open the graph that was copied into the folder, or the one that is linked to."""
    try:
        where = manifest["graph"]
        linked, expected = where.get("path"), where["fingerprint"]
        path = Path(linked or folder / where["name"])
    except (KeyError, TypeError, AttributeError):
        raise DamagedFileError(f"The manifest in {folder} names no graph; save it anew.") from None
    try:
        graph = KnowledgeGraph.open(path, verify=not linked)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"The graph of this pipeline is not at {path}. Put it back there, or give one: "
            f"Pipeline.load({str(folder)!r}, graph=KnowledgeGraph.open(...))."
        ) from None
    if graph.fingerprint != expected:
        if not linked:
            raise DamagedFileError(f"{path} holds another graph than the one that was saved.")
        warnings.warn(
            f"The graph at {path} has changed since this pipeline was saved, so its outputs may "
            "differ; save the pipeline again to accept the graph as it is.",
            UserWarning,
            stacklevel=4,
        )
    return graph


_REGISTRIES: dict[str, Registry[Any]] = {
    "linker": LINKERS,
    "words": LINKERS,
    "retriever": RETRIEVERS,
    "encoder": ENCODERS,
    "fusion": FUSIONS,
    "task": TASKS,
}


def _written(kind: str, part: Any) -> Any:
    """A part as JSON: its name and all its arguments; a backbone as it was given.

    A backbone may be a folder, and the names of files of text vectors hold its arguments as given.
    """
    if isinstance(part, Backbone):
        return part.name
    if kind not in _REGISTRIES:
        return dict(part) if isinstance(part, Mapping) else part
    return _REGISTRIES[kind].written(part)


def _card(pipeline: Pipeline) -> str:
    figures = pipeline.training.get("validation", {})
    rows = "".join(f"| {name} | {value:.4f} |\n" for name, value in figures.items())
    table = f"\n| validation | |\n|---|---|\n{rows}" if rows else ""
    return (
        f"# A kgfm model\n\n`{pipeline!r}`\n{table}\n"
        "```python\nimport kgfm\n\n"
        'pipe = kgfm.Pipeline.load("this folder")\nprint(pipe("a text"))\n```\n'
    )
