"""JupyterHub, set up for a class: people come in, their servers start, and requests find them."""
