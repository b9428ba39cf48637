from django.http import Http404, HttpRequest, HttpResponse


def page(request: HttpRequest, **_kwargs: object) -> HttpResponse:
    raise Http404


def result(request: HttpRequest, **_kwargs: object) -> HttpResponse:
    raise Http404


def data(request: HttpRequest, **_kwargs: object) -> HttpResponse:
    raise Http404
