"""What runs in a participant's own Jupyter server: the bar above the notebook, and the way of its news to the class."""
