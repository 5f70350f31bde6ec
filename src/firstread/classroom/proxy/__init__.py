"""Reverse proxy of a class: a process of its own, with the API that JupyterHub's `ConfigurableHTTPProxy` speaks."""
