"""What the web server imports."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "genreweb.settings")

application = get_wsgi_application()

from genreweb.api_queries import known_parameters  # noqa: E402  # Django is set up by now
from genreweb.warm_up import import_clients, read_templates_and_languages  # noqa: E402

# Read before the server forks, so that no request waits for it.
known_parameters()
read_templates_and_languages()
import_clients()
