"""A class of programs, before the day."""
