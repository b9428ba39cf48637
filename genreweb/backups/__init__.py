"""Backups: the rows and the files of a site as one archive, and a site made from it."""
