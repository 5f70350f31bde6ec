"""Keeping participants' code apart on one Linux machine: from one another, from the hub, and from everything else on it."""
