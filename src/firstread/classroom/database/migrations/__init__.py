"""Steps from one form of a class's tables to the next."""
