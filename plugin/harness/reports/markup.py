"""HTML from plain text: whatever is not markup already is escaped when it becomes part of it."""

from html import escape

from plugin.harness.reports.text import visible


class Html(str):
    """Text that is markup. Only this module and a page's own constants make it."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: str | bool | None) -> Html:
    """An element. `class_` is written `class`, `data_x` `data-x`; None and False are left out."""
    written = "".join(
        f" {_attribute(key)}" if value is True else f' {_attribute(key)}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Html(f"<{name}{written}>{join(*children)}</{name}>")


def join(*parts: str) -> Html:
    """Parts one after another, each escaped unless it is markup."""
    return Html("".join(part if isinstance(part, Html) else text(part) for part in parts))


def text(value: str) -> Html:
    """Text that nobody can take for markup; control characters are shown, not carried out."""
    return Html(escape(visible(value), quote=True))


def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")
