"""A fusion of your own: the tokens of a mention are told about the node that it names."""

import tempfile

from torch import nn
from torch.nn import functional

import kgfm
from kgfm.fusion import FUSIONS, Fusion
from kgfm.synthetic import label_world


class AtMentions(Fusion):
    """``tokens + O gelu(T tokens + N nodes + b)`` wherever a token is part of a mention.

    After ERNIE's aggregator (Zhang et al., 2019, https://arxiv.org/abs/1905.07129), but ``O``
    starts at zero and has no bias: untrained, the text model stays as it was.
    """

    def __init__(self, width, node_width, *, inner_width=64):
        super().__init__()
        self.token = nn.Linear(width, inner_width)
        self.node = nn.Linear(node_width, inner_width, bias=False)
        self.output = nn.Linear(inner_width, width, bias=False)
        nn.init.zeros_(self.output.weight)

    def forward(self, tokens, nodes, batch):
        text, token, slot = batch.aligned  # tokens of mentions, and the nodes that they name
        node = nodes[batch.node_slot[text, slot]]
        told = self.output(functional.gelu(self.token(tokens[text, token]) + self.node(node)))
        told = told.to(tokens.dtype)  # with precision=bf16-mixed they differ
        return tokens.index_put((text, token), told, accumulate=True), nodes


FUSIONS["at-mentions"] = AtMentions  # in a package: an entry point in the group kgfm.fusions

if __name__ == "__main__":
    world = label_world(topics=240)  # what kind of town does the person of a text live in?
    own = {
        "fusion": {"name": "at-mentions", "layers": [0, 1]},
        "encoder": {"name": "rgcn", "width": 32},
    }
    tiny = {"backbone": "tiny-bert", "text_encoder": "tiny-bert"}
    pipe = kgfm.Pipeline(world.graph, task="classify", **own, **tiny)
    with tempfile.TemporaryDirectory() as folder:
        settings = {"epochs": 4, "batch_size": 8, "graph_learning_rate": 0.01}
        pipe.fit(world.train, world.validation, folder=folder, **settings)
        found = pipe(world.test[0])
        print(found.text, found.answer, "expected", world.test[0].target)
        print(pipe.explain(found)[0])
        pipe.save(f"{folder}/saved")
        assert kgfm.Pipeline.load(f"{folder}/saved")(world.test[0]) == found
