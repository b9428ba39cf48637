"""The private PostgreSQL and Redis of a site that sets neither, and the supervisor behind ``make run``.

Nothing here imports Django: settings are made of what ``paths`` says.
"""
