"""Classroom: one command hosts a lesson for many participants, with a JupyterHub and the instructor's dashboard."""
