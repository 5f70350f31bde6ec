"""Curation: data check, duplicates, artefacts, shortcuts and the trivial rules."""
