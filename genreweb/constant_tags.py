"""``translate``, ``static`` and ``url`` as Django has them, worked out once where nothing in them varies.

A page holds two hundred of them, most with nothing but constants, and Django looks each up again for every
reader. `take_over` puts them into Django's own libraries, so templates load what they always load; ``url``
is a builtin by the settings.

No namespace has two instances here, so an address does not depend on the application that a page belongs to.
With ``DEBUG`` on nothing is kept, so that a changed translation shows.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.template import Context, Library, Node, TemplateSyntaxError
from django.template.base import FilterExpression, Parser, Token, Variable, token_kwargs
from django.template.defaulttags import URLNode
from django.template.defaulttags import url as django_url
from django.templatetags import i18n
from django.templatetags import static as static_files
from django.templatetags.static import StaticNode
from django.urls import NoReverseMatch, get_script_prefix, get_urlconf
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from genreweb.addresses import address_of
from genreweb.filled_parts import filled

register = Library()


class ConstantNode(Node):
    """Keeps what another node gives, by what it depends on. `name` is the variable that it sets, if any."""

    child_nodelists = ()

    def __init__(self, node: Node, name: str | None, depends_on: Callable[[], Hashable]) -> None:
        self._node, self._name, self._depends_on = node, name, depends_on
        self._kept: dict[Hashable, Any] = {}

    def render(self, context: Context) -> Any:
        key = (self._depends_on(), context.autoescape)
        kept = self._kept.get(key)
        if kept is None:
            text = self._node.render(context)
            kept = self._kept[key] = text if self._name is None else context[self._name]
        if self._name is None:
            return kept
        context[self._name] = kept
        return ""


class UuidUrlNode(Node):
    """The address of a view whose only arguments are UUIDs."""

    child_nodelists = ()

    def __init__(self, node: URLNode) -> None:
        self._node = node

    def render(self, context: Context) -> str:
        values = [arg.resolve(context) for arg in self._node.args]
        if any(type(value) is not UUID for value in values):
            return str(self._node.render(context))
        try:
            url = address_of(self._node.view_name.resolve(context), *values)
        except NoReverseMatch:
            if self._node.asvar is None:
                raise
            url = ""
        if self._node.asvar is None:
            return url
        context[self._node.asvar] = url
        return ""


def _addresses() -> Hashable:
    return get_script_prefix(), get_urlconf() or settings.ROOT_URLCONF


def _static_files() -> Hashable:
    # Where the storage is replaced, as in tests, so are its addresses.
    return settings.STATIC_URL, staticfiles_storage.__class__, settings.STATIC_ROOT


def translate(parser: Parser, token: Token) -> Node:
    """Translate a text, once per language where it is a constant."""
    node = i18n.do_translate(parser, token)
    expression = node.filter_expression
    constant = isinstance(expression.var, Variable) and expression.var.literal is not None
    if settings.DEBUG or node.noop or node.message_context or expression.filters or not constant:
        return node
    return ConstantNode(node, node.asvar, get_language)


def static(parser: Parser, token: Token) -> Node:
    """Give the address of a static file, which only another release changes."""
    node = StaticNode.handle_token(parser, token)
    if settings.DEBUG or node.path.is_var or node.path.filters:
        return node
    return ConstantNode(node, node.varname, _static_files)


@register.tag("url")
def url(parser: Parser, token: Token) -> Node:
    """Give the address of a view."""
    node = django_url(parser, token)
    if settings.DEBUG or node.kwargs or node.view_name.is_var or node.view_name.filters:
        return node
    if not node.args:
        return ConstantNode(node, node.asvar, _addresses)
    return UuidUrlNode(node)


class PartNode(Node):
    """A part of a page that `filled` draws."""

    child_nodelists = ()

    def __init__(
        self, name: str, depends_on: dict[str, FilterExpression], slots: dict[str, FilterExpression]
    ) -> None:
        self._name, self._depends_on, self._slots = name, depends_on, slots

    def render(self, context: Context) -> SafeString:
        slots = {name: value.resolve(context) for name, value in self._slots.items()}
        depends_on = {name: value.resolve(context) for name, value in self._depends_on.items()}
        return filled(self._name, slots, depends_on)


@register.tag("part")
def part(parser: Parser, token: Token) -> PartNode:
    """Include a part that is drawn once: ``{% part "x.html" news=number slots email=user.email %}``.

    It sees nothing but what is named. The variables after ``slots`` it shows as they are; by the others it
    may decide, and for each of their values it is drawn.
    """
    _tag, name, *bits = token.split_contents()
    place = bits.index("slots") if "slots" in bits else len(bits)
    depends_on, slots = bits[:place], bits[place + 1 :]
    found = token_kwargs(depends_on, parser), token_kwargs(slots, parser)
    if name[:1] not in "\"'" or depends_on or slots:
        raise TemplateSyntaxError("part takes the name of a template, then names with values.")
    return PartNode(name[1:-1], *found)


def take_over() -> None:
    """Put these tags in the place of Django's own, in the libraries that templates load."""
    i18n.register.tags |= {"translate": translate, "trans": translate}
    static_files.register.tags["static"] = static
