"""Tasks: each knows everything about one kind of question."""

from kgfm.tasks.answer import AnswerTask
from kgfm.tasks.base import TASKS, Output, Report, Task
from kgfm.tasks.classify import ClassifyTask

TASKS.update({"answer": AnswerTask, "classify": ClassifyTask})

__all__ = ["TASKS", "AnswerTask", "ClassifyTask", "Output", "Report", "Task"]
