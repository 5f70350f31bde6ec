"""Extensions of a participant's own Jupyter server: the class bar above the notebook, and the upload of events."""
