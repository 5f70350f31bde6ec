"""Where everybody stands, what stops them, and what is left of the machine."""
