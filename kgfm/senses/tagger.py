"""The tagger of word senses: sentences in, sense keys out; trained, saved and loaded as one."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from kgfm.backbones import Backbone, TextEncoder
from kgfm.backbones.load import load_backbone
from kgfm.backbones.saved import read_backbone, write_backbone
from kgfm.graph import KnowledgeGraph
from kgfm.linking.formats.wsd import Instance, Sentence
from kgfm.pipeline import saving
from kgfm.registry import check_probabilities
from kgfm.senses.batch import PreparedWindow, SenseCollator
from kgfm.senses.calibrate import choose_lesk
from kgfm.senses.glosses import gloss_vectors, standardised
from kgfm.senses.inventory import Inventory
from kgfm.senses.lesk import Lesk, around
from kgfm.senses.model import SenseModel, best
from kgfm.senses.parts import Parts, Say, told
from kgfm.storage import DamagedFileError, copies, file_path, read_manifest, write_folder
from kgfm.training import TrainingConfig

KIND, FORMAT = "senses", 1
_LEAST_TOKENS = 3


class SenseTagger:
    """Give words in context their WordNet senses.

    Args:
        graph: Made of WordNet.
        backbone: Name, mapping such as ``{"name": "minilm", "freeze": 4}``, or a ready one.
        pointers: Let synsets read their neighbours in the graph.
        prior: Use the order in which WordNet lists the senses of a word.
        width: Of the space in which words and synsets meet.
        lesk: After training, add how well the glosses suit the whole window, if the encoder of
            glosses is as wide as the backbone.
        dropout: Of the words' states.
        own_dropout: Probability that a synset's own vector is left out of a training step.
        max_tokens: Of neighbouring sentences that are read together.
        seed: Of the untrained weights and of training.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        backbone: str | Mapping[str, Any] | Backbone = "minilm",
        *,
        pointers: bool = True,
        prior: bool = True,
        width: int = 384,
        lesk: bool = True,
        dropout: float = 0.1,
        own_dropout: float = 0.0,
        max_tokens: int = 100,
        seed: int = 0,
    ) -> None:
        check_probabilities(dropout=dropout, own_dropout=own_dropout)
        self.inventory = Inventory(graph)
        self.backbone = load_backbone(backbone)
        self.settings: dict[str, Any] = {
            "pointers": pointers,
            "prior": prior,
            "width": width,
            "lesk": lesk,
            "dropout": dropout,
            "own_dropout": own_dropout,
            "max_tokens": max_tokens,
            "seed": seed,
        }
        self.training: dict[str, Any] = {}
        self.known: set[tuple[str, str]] = set()
        self.collator = SenseCollator(
            self.backbone.tokenizer, self.inventory, max_tokens=max_tokens
        )
        self._model: SenseModel | None = None

    @property
    def graph(self) -> KnowledgeGraph:
        return self.inventory.graph

    @property
    def model(self) -> SenseModel:
        """The trained model.

        Raises:
            RuntimeError: Nothing has been trained or loaded.
        """
        if self._model is None:
            raise RuntimeError("This tagger is untrained: call fit, or SenseTagger.load(folder).")
        return self._model

    def fit(
        self,
        train: Sequence[Sentence],
        validation: Sequence[Sentence],
        config: TrainingConfig | None = None,
        *,
        folder: str | os.PathLike[str],
        examples: Sequence[Sentence] = (),
        head_epochs: int = 3,
        tune: bool = True,
        encode: TextEncoder | None = None,
        cache: str | os.PathLike[str] = "cache",
        resume: bool = False,
        say: Say = lambda _: None,
    ) -> dict[str, float]:
        """Train on tagged sentences; the best epoch on the validation part is kept.

        First the head alone learns, on what the untrained backbone makes of each word, which is
        computed once; then the backbone's upper layers learn too (Kumar et al., 2022,
        https://arxiv.org/abs/2202.10054).

        Args:
            train: Tagged sentences, in the order of their documents.
            validation: The same, of other documents.
            config: How to train; its ``epochs`` are those of the second part.
            folder: For checkpoints and logs.
            examples: Single sentences besides, such as WordNet's own examples.
            head_epochs: Epochs of the first part; 0 leaves it out.
            tune: ``False`` leaves the second part out.
            encode: Makes the frozen vectors of the glosses; by default the packaged MiniLM.
            cache: Keeps the states of words and those after frozen layers.
            resume: Go on from the last checkpoint.
            say: Told what is being done.

        Returns:
            Figures of the best epoch: ``f1``, and ``f1_unseen`` of words that ``train`` has not.
            With ``lesk`` its weights, three numbers, were chosen on the same texts.
        """
        config = config or TrainingConfig()
        self.known = self.inventory.words(one for s in train for one in s.instances if one.keys)
        texts = self.collator.prepare(train)
        texts += self.collator.prepare(examples, join=False)
        texts = [text for text in texts if text.right.any()]
        held = self.collator.prepare(validation, known=self.known)
        held = [text for text in held if text.ids]
        say(f"{len(texts):,} windows to train on, {len(held):,} to choose by")
        glosses = gloss_vectors(self.inventory, encode, told(say, "glosses"))
        torch.manual_seed(self.settings["seed"])
        self._model = self._build(standardised(glosses), *_rows(texts))
        parts = Parts(
            self._model,
            self.collator,
            texts,
            held,
            config,
            folder=Path(folder),
            cache=Path(cache),
            seed=self.settings["seed"],
            resume=resume,
            say=say,
        )
        figures: dict[str, float] = {}
        if head_epochs:
            figures = parts.head(head_epochs)
        if tune:
            figures = parts.context(head_learnt=head_epochs > 0)
        if self._model.lesk is not None and any(map(_has_a_choice, held)):
            figures = choose_lesk(self._model, self._model.lesk, self.collator, held)
        self.training = {"validation": figures, "windows": len(texts)}
        return figures

    def calibrate(self, sentences: Sequence[Sentence]) -> dict[str, float]:
        """Choose anew, on texts that were not trained on, how much the whole window counts.

        Args:
            sentences: Tagged, in the order of their documents.

        Returns:
            Figures, as :meth:`fit` does.

        Raises:
            ValueError: The tagger was made with ``lesk=False``, or nothing is tagged.
        """
        if self.model.lesk is None:
            raise ValueError("With lesk=False there is nothing to choose after training.")
        texts = [text for text in self.collator.prepare(sentences, known=self.known) if text.ids]
        return choose_lesk(self.model, self.model.lesk, self.collator, texts)

    def _build(self, glosses: np.ndarray, named: np.ndarray, read_from: np.ndarray) -> SenseModel:
        kinds = 0
        if self.settings["pointers"]:
            kinds = 2 * self.inventory.num_relations
            self.collator.pointers = self.inventory.pointers.only_from(read_from)
        lesk = None
        if self.settings["lesk"] and glosses.shape[1] == self.backbone.width:
            near = around(glosses, self.inventory.pointers) if kinds else None
            table = None if near is None else torch.from_numpy(near)
            lesk = Lesk(table, self.backbone.width)
        return SenseModel(
            self.backbone,
            torch.from_numpy(glosses),
            torch.from_numpy(named),
            torch.from_numpy(read_from),
            num_kinds=kinds,
            lesk=lesk,
            **{name: self.settings[name] for name in ("width", "prior", "dropout", "own_dropout")},
        )

    @torch.inference_mode()
    def __call__(
        self,
        sentences: Sequence[Sentence],
        *,
        batch_size: int = 32,
        max_tokens: int | None = None,
    ) -> dict[str, tuple[str, ...]]:
        """Return the sense key of each instance whose word is in WordNet.

        One that lies beyond the longest text that the backbone reads gets its first sense.

        Args:
            sentences: In the order of their documents: neighbours are read together.
            batch_size: Windows in a batch.
            max_tokens: Of neighbouring sentences that are read together; by default as many as in
                training.

        Raises:
            ValueError: There is no room for a token.
        """
        if max_tokens is not None and max_tokens < _LEAST_TOKENS:
            raise ValueError(
                f"Windows of {max_tokens} tokens: {_LEAST_TOKENS} would do, two of which are marks."
            )
        self.model.eval()
        windows = self.collator.prepare(sentences, max_tokens=max_tokens)
        texts = [window for window in windows if window.ids]
        by_id = {one.id: one for sentence in sentences for one in sentence.instances}
        found: dict[str, tuple[str, ...]] = {}
        order = sorted(range(len(texts)), key=lambda row: len(texts[row].input_ids))
        for start in range(0, len(order), batch_size):
            part = [texts[row] for row in order[start : start + batch_size]]
            batch = self.collator.pack(part).to(next(self.model.parameters()).device)
            chosen = best(self.model(batch).logits, batch)
            place = (chosen - _first_candidates(batch.candidate_word, batch.num_words)).tolist()
            ids = [id for text in part for id in text.ids]
            for id, number, row in zip(ids, place, chosen.tolist(), strict=True):
                if row >= 0:
                    found[id] = (self._keys(by_id[id])[number],)
        for id, one in by_id.items():
            if id not in found and self._keys(one):
                found[id] = self._keys(one)[:1]
        return {id: found[id] for id in by_id if id in found}

    def _keys(self, one: Instance) -> tuple[str, ...]:
        return self.inventory.candidates(one.lemma, one.pos).keys

    def save(self, folder: str | os.PathLike[str], *, graph: str = "copy") -> None:
        """Save what is needed to tag again: JSON and safetensors, hashes, one commit.

        Args:
            folder: Where.
            graph: ``copy`` puts WordNet's snapshot into the folder; ``link`` notes its path.
        """
        folder = Path(folder)
        state = {name: value.contiguous() for name, value in self.model.state_dict().items()}
        config = {
            **self.settings,
            "backbone": {"name": self.backbone.name, "freeze": self.backbone.freeze},
            "known": sorted(map(list, self.known)),
            "training": self.training,
        }
        where = saving.save_graph(self.graph, folder, graph)
        with tempfile.TemporaryDirectory() as temporary:
            config["tokenizer"] = write_backbone(self.backbone, Path(temporary))
            (Path(temporary) / "config.json").write_text(json.dumps(config))
            files = copies(Path(temporary))
            files["model.safetensors"] = lambda path: save_file(state, path)
            write_folder(
                folder,
                files,
                {
                    "kind": KIND,
                    "format": FORMAT,
                    "graph": where,
                    "versions": saving.versions(),
                },
            )

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> SenseTagger:
        """Load what :meth:`save` wrote, every hash checked.

        Raises:
            FileNotFoundError: There is none.
            DamagedFileError: A file is missing, truncated or changed, or the graph is another one.
        """
        folder = Path(folder)
        manifest = read_manifest(folder, KIND, FORMAT)
        config = json.loads(file_path(folder, manifest, "config.json", verify=True).read_text())
        weights = file_path(folder, manifest, "model.safetensors", verify=True)
        try:
            kept = {name: config.pop(name) for name in ("backbone", "tokenizer", "known")}
            training = config.pop("training")
            graph = saving.load_graph(folder, manifest)
            if graph.fingerprint != manifest["graph"]["fingerprint"]:
                raise DamagedFileError(f"The graph of {folder} has changed; its rows are others.")
            backbone = read_backbone(folder, manifest, kept["backbone"], kept["tokenizer"])
            tagger = cls(graph, backbone, **config)
            state = load_file(weights)
            named = torch.nonzero(state["place"])[:, 0]
            named = named[torch.argsort(state["place"][named])]
            tagger._model = tagger._build(
                state["glosses"].numpy(), named.numpy(), state["read_from"].numpy()
            )
            chosen = tagger._model.lesk.state_dict(prefix="lesk.") if tagger._model.lesk else {}
            tagger._model.load_state_dict(chosen | state)  # older taggers have chosen nothing
        except (KeyError, TypeError, SafetensorError, RuntimeError) as error:
            raise DamagedFileError(f"The files in {folder} do not fit together: {error}") from None
        tagger.training = training
        tagger.known = {(lemma, pos) for lemma, pos in kept["known"]}
        tagger._model.eval()
        return tagger

    def __repr__(self) -> str:
        how = "with" if self.settings["pointers"] else "without"
        state = "" if self._model is not None else ", untrained"
        return f"SenseTagger({self.backbone.name} {how} pointers over {self.graph!r}{state})"


def _rows(texts: Sequence[PreparedWindow]) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the synsets that are right somewhere, and of all their rivals."""
    right = np.concatenate([text.candidates[text.right] for text in texts])
    tagged = [np.isin(text.candidate_word, text.candidate_word[text.right]) for text in texts]
    rivals = [text.candidates[mine] for text, mine in zip(texts, tagged, strict=True)]
    return np.unique(right), np.unique(np.concatenate(rivals))


def _has_a_choice(text: PreparedWindow) -> bool:
    """Say whether some word has several candidates and a known one."""
    return bool((np.bincount(text.candidate_word)[text.candidate_word[text.right]] > 1).any())


def _first_candidates(candidate_word: torch.Tensor, num_words: int) -> torch.Tensor:
    counts = torch.bincount(candidate_word, minlength=num_words)
    return counts.cumsum(0) - counts
