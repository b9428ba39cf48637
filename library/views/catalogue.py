from django.http import Http404, HttpRequest, HttpResponse


def browse(request: HttpRequest, **_kwargs: object) -> HttpResponse:
    raise Http404
