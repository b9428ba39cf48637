from django.apps import AppConfig


class GenrewebConfig(AppConfig):
    name = "genreweb"
    verbose_name = "Genreweb"

    def ready(self) -> None:
        # Imported for the checks that it registers.
        from genreweb import checks  # noqa: F401
