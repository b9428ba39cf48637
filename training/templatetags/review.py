"""What rows of clips say of the model's prediction."""

from __future__ import annotations

from django import template
from django.template import Context

from library.templatetags.sound import genre
from library.views.verdict import Bar
from training.models import Clip

register = template.Library()


@register.simple_tag(takes_context=True)
def top_prediction(context: Context, clip: Clip) -> Bar:
    """Give the genre that the model found likeliest in a clip it was asked about."""
    label, share = max(clip.opinion.items(), key=lambda item: item[1])
    return Bar(genre(context, label), share, round(100 * share))
