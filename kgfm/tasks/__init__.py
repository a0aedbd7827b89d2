"""Tasks: each knows everything about one kind of question."""

from kgfm.tasks.answer import AnswerTask
from kgfm.tasks.base import TASKS, Output, Report, Task
from kgfm.tasks.classify import ClassifyTask
from kgfm.tasks.spans import SpansTask

TASKS.update({"answer": AnswerTask, "classify": ClassifyTask, "spans": SpansTask})

__all__ = ["TASKS", "AnswerTask", "ClassifyTask", "Output", "Report", "SpansTask", "Task"]
