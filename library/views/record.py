from django.http import Http404, HttpRequest, HttpResponse


def record(request: HttpRequest, **_kwargs: object) -> HttpResponse:
    raise Http404
