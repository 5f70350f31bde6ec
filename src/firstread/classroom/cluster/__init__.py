"""A class on several machines: Kubernetes."""
