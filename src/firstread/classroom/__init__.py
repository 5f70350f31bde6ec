"""One command hosts a lesson for a room of people: join, progress, help, experiments, questions, and what the instructor sees."""
