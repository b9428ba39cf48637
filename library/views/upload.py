from django.http import Http404, HttpRequest, HttpResponse


def upload(request: HttpRequest, **_kwargs: object) -> HttpResponse:
    raise Http404
