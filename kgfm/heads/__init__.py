"""Heads: from tokens and nodes to an answer."""

from kgfm.heads.answer import AnswerHead
from kgfm.heads.base import HEADS, Head, Output
from kgfm.heads.classify import ClassifyHead

HEADS.update({"answer": AnswerHead, "classify": ClassifyHead})

__all__ = ["HEADS", "AnswerHead", "ClassifyHead", "Head", "Output"]
