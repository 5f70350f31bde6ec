"""Data sets: named sets, folders and tables of images, opened as a Cohort."""
