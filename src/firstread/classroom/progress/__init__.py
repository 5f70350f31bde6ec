"""Progress of the participants, the instructor's dashboard, and the capacity of the machine."""
