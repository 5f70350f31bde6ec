"""Saliency maps, their sanity check, and the HTML report of a model."""
