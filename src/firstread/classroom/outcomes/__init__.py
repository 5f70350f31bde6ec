"""What a class found out and learnt: quizzes, experiment, statistics, and how they are shown."""
