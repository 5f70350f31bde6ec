"""Load test of a class with scripted participants, before the day of the class."""
