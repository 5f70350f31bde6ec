"""Find, open and run lessons. Nothing heavy is imported until a lesson runs."""

from firstread.lessons.experiment_groups import arm
from firstread.lessons.jupyterlab import open_lesson
from firstread.lessons.lesson_info import LessonInfo, find_lesson, find_lessons
from firstread.lessons.runner import run_lesson
from firstread.lessons.session import Lesson, lesson

__all__ = ["Lesson", "LessonInfo", "arm", "find_lesson", "find_lessons", "lesson", "open_lesson", "run_lesson"]
