"""A class on Kubernetes: settings folder, container entry points, hub configuration and pods."""
