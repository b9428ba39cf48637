from django.http import Http404, HttpRequest, HttpResponse


def bulk(request: HttpRequest, **_kwargs: object) -> HttpResponse:
    raise Http404


def rename(request: HttpRequest, **_kwargs: object) -> HttpResponse:
    raise Http404


def again(request: HttpRequest, **_kwargs: object) -> HttpResponse:
    raise Http404


def delete(request: HttpRequest, **_kwargs: object) -> HttpResponse:
    raise Http404
