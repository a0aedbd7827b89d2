"""A task of your own: how important a text is, as a number from 0 to 1."""

import tempfile
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

import kgfm
from kgfm.batch import Tensors
from kgfm.synthetic import label_world
from kgfm.tasks import TASKS, Output, Report, Task
from kgfm.tasks.base import mean_of_known, pooled, seed_mean
from kgfm.types import Answer


@dataclass
class Right(Tensors):
    """What is right about the texts of a batch."""

    number: Tensor
    known: Tensor


class Importance(Task):
    """``sigmoid(W pool(tokens) + b + G mean(seed nodes))``, learned by its squared error."""

    monitor = "r2"

    def __init__(self, width, node_width):
        super().__init__()
        self.text = nn.Linear(width, 1)
        self.graph = nn.Linear(node_width, 1, bias=False) if node_width else None

    def target(self, example, rows, graph):  # numpy and plain values: once for each text
        number = float(example.target[0]) if example.target else 0.0
        if not 0 <= number <= 1:
            raise ValueError(f"{example.text!r}: give a number from 0 to 1, not {number}.")
        return number

    def pack(self, prepared, layout):  # tensors begin: once for each batch; becomes batch.asked
        pairs = [(one.target, one.known) for one in prepared]
        return Right(*map(torch.tensor, zip(*pairs, strict=True)))

    def forward(self, tokens, nodes, batch, read=None):
        logits = self.text(pooled(tokens, batch, read))
        if self.graph is not None and nodes is not None:
            logits = logits + self.graph(seed_mean(nodes, batch))
        output = Output(tokens, logits.squeeze(1))
        if batch.asked.known.any():
            error = self.probabilities(output, batch) - batch.asked.number
            output.loss = mean_of_known(error.square(), batch.asked.known)
        return output

    def probabilities(self, output, batch):
        return torch.sigmoid(output.logits)

    def answers(self, output, batch, examples, graph):  # for each text, one answer or several
        said = [(f"{x:.2f}", x) for x in self.probabilities(output, batch).tolist()]
        return [(Answer(text, x, labels=(text,)),) for text, x in said]

    def option(self, answer, example, graph):  # evidence is asked of an option; here is but one
        return 0

    def score(self, output, batch, option, about=0):  # what falls when evidence is taken away
        return self.probabilities(output, batch)

    def collect(self, output, batch):
        given, known = self.probabilities(output, batch), batch.asked.known
        return {"given": given[known], "right": batch.asked.number[known]}

    def metrics(self, rows):
        error, spread = rows["given"] - rows["right"], rows["right"] - rows["right"].mean()
        r2 = 1 - np.square(error).sum() / max(np.square(spread).sum(), 1e-9)
        return {"r2": float(r2), "error": float(np.abs(error).mean())}

    def report(self):
        return Report("number")


TASKS["importance"] = Importance  # in a package: an entry point in the group kgfm.tasks

if __name__ == "__main__":
    world = label_world(topics=240)  # people in towns; only the graph tells who lives where
    worth = {"harbour": ("1.0",), "mine": ("0.5",), "farm": ("0.0",)}
    train, validation, test = (
        [replace(example, target=worth[example.target[0]]) for example in part]
        for part in (world.train, world.validation, world.test)
    )
    tiny = {"backbone": "tiny-bert", "text_encoder": "tiny-bert"}
    pipe = kgfm.Pipeline(world.graph, task="importance", **tiny)
    with tempfile.TemporaryDirectory() as folder:
        settings = {"epochs": 4, "batch_size": 8, "graph_learning_rate": 0.01}
        pipe.fit(train, validation, folder=folder, **settings)
        found = pipe(test[0])
        print(found.text, found.answer, "expected", test[0].target)
        print(pipe.explain(found)[0])
        pipe.save(f"{folder}/saved")
        assert kgfm.Pipeline.load(f"{folder}/saved")(test[0]) == found
