"""Transformer encoders: from a folder, from a package that carries weights, or from the hub."""

from kgfm.backbones.backbone import Backbone
from kgfm.backbones.extra import Extra
from kgfm.backbones.load import BACKBONES, check_backbone, load_backbone
from kgfm.backbones.text import TextEncoder

__all__ = ["BACKBONES", "Backbone", "Extra", "TextEncoder", "check_backbone", "load_backbone"]
