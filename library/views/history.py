from django.http import Http404, HttpRequest, HttpResponse


def history(request: HttpRequest, **_kwargs: object) -> HttpResponse:
    raise Http404


def rows(request: HttpRequest, **_kwargs: object) -> HttpResponse:
    raise Http404
