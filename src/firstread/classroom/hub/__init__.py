"""JupyterHub of a class: configuration, authenticator, spawner and proxy."""
