"""The genres that the site knows."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny

from classifier.models import Genre
from library.api.serializers import GenreSerializer


@extend_schema_view(get=extend_schema(operation_id="list_genres", tags=["genres"], summary="List the genres"))
class GenreListView(ListAPIView[Genre]):
    """The genres that the site knows, all at once."""

    queryset = Genre.objects.all()
    serializer_class = GenreSerializer
    permission_classes = (AllowAny,)
    pagination_class = None
    filter_backends = ()
