"""Fields of URL-encoded forms."""

from urllib.parse import parse_qs

from connector.errors import InvalidInput


def form_value(body: bytes, name: str) -> str:
    """Return the one value of a form's field.

    Raises:
        InvalidInput: no such field, several of it, or not a form in UTF-8.
    """
    try:
        found = parse_qs(body.decode(), strict_parsing=True, max_num_fields=20, errors="strict").get(name, [])
    except ValueError:
        found = []
    if len(found) != 1:
        raise InvalidInput(
            f"The form needs exactly one field {name!r}.", where=name, fix="Send it URL-encoded in UTF-8."
        )
    return found[0]
