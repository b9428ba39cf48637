"""The command ``genreweb``: send music to a site, wait for what is heard in it, take results along.

Only Python's standard library is needed: ``pip install .`` in this repository installs the command, and
``python -m clients.genreweb_cli`` runs it from there.
"""
