"""The pipeline: text to prediction, and one object to save and load."""

from kgfm.pipeline.pipeline import Pipeline

__all__ = ["Pipeline"]
