"""An encoder of your own: the mean of a node's neighbours, in which hubs count for less."""

import tempfile

import torch
from torch import nn
from torch.nn import functional

import kgfm
from kgfm.encoders import ENCODERS, GraphEncoder
from kgfm.synthetic import label_world


class HubMean(GraphEncoder):
    """``x <- norm(x + gelu(W sum_j w_j (x_j + r_j) / sum_j w_j))`` with ``w_j = 1 / log(1 + d_j)``.

    A neighbour of high degree ``d_j`` says little about anybody (Adamic and Adar, 2003). Nodes and
    relations start from their texts; ``r_j`` differs in the two directions of a relation.
    """

    def __init__(self, feature_width, *, width=64, layers=2):
        super().__init__()
        self.out_width = width
        self.node = nn.Linear(feature_width, width)
        self.seed_mark = nn.Parameter(torch.randn(width) / width**0.5)
        self.there, self.back = nn.Linear(feature_width, width), nn.Linear(feature_width, width)
        self.layers = nn.ModuleList([nn.Linear(width, width) for _ in range(layers)])
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(layers)])

    def forward(self, batch, query):
        source, target = batch.edge_index  # each triple stands twice, once in each direction
        relations = batch.relation_features
        told = torch.cat([self.there(relations), self.back(relations)])[batch.edge_type]
        x = self.node(batch.node_features)[batch.node_feature]
        x = x + (batch.node_hops == 0)[:, None] * self.seed_mark
        edge = x.new_ones(source.shape) if batch.edge_weight is None else batch.edge_weight
        none = x.new_zeros(x.shape[0])
        degree = none.index_add(0, target, edge)  # an edge of weight 0 is as if it were not there
        weight = edge / torch.log1p(degree.clamp(min=1.0))[source]
        total = none.index_add(0, target, weight).clamp(min=1e-9)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            messages = weight[:, None] * (x[source] + told)
            mean = torch.zeros_like(x).index_add(0, target, messages) / total[:, None]
            x = norm(x + functional.gelu(layer(mean)))
        return x


ENCODERS["hub-mean"] = HubMean  # in a package: an entry point in the group kgfm.encoders

if __name__ == "__main__":
    world = label_world(topics=240)  # what kind of town does the person of a text live in?
    own = {"encoder": {"name": "hub-mean", "width": 32}, "fusion": None}  # nothing else reads nodes
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
