"""The classroom service: what notebooks, participants and the instructor ask of the class over HTTP."""
