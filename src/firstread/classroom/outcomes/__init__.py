"""Outcomes of a class: quiz, survey, randomized experiment, their statistics, charts, report and export."""
