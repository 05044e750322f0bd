"""JSON texts that are larger than memory should have to be: one member or element at a time, each of bounded length.

The standard library parses the pieces; this module only finds where they end. Runs in the child.
"""

import codecs
import json
from collections.abc import Iterator
from typing import IO, Any, Final, NoReturn

from connector.errors import InvalidInput, TooLarge

PIECE: Final = 1 << 20
NEAR_END: Final = 16  # characters: what is wrong this near to the end of what was read may only be cut off there
BLANK: Final = " \t\n\r\x1e"  # with the record separator of RFC 8142
CUT_OFF: Final = "The JSON text is cut off."


class JsonStream:
    """A cursor in a JSON text.

    Raises (all of its methods):
        InvalidInput: the text is cut off, is no JSON or no UTF-8, or is nested too deeply.
        TooLarge: one value is longer than `longest` characters.
    """

    def __init__(self, file: IO[bytes], longest: int) -> None:
        self._file = file
        self._longest = longest
        self._bytes = codecs.getincrementaldecoder("utf-8-sig")()
        self._parse = json.JSONDecoder().raw_decode
        self._text = ""
        self._at = 0
        self._over = False

    def peek(self) -> str:
        """Return the next character that is not blank, empty text at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in BLANK:
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def take(self, expected: str) -> None:
        """Pass over one character."""
        found = self.peek()
        if found != expected:
            raise InvalidInput(CUT_OFF if not found else f"The JSON text is damaged: {expected!r} is missing.")
        self._at += 1

    def value(self) -> Any:
        """Return the value that stands here, parsed."""
        self.peek()
        while True:
            try:
                found, end = self._parse(self._text, self._at)
            except json.JSONDecodeError as error:
                unfinished = error.msg.startswith("Unterminated") or error.pos >= len(self._text) - NEAR_END
                if not (unfinished and self._more()):
                    self._refuse(error, unfinished=unfinished)
            except RecursionError as error:
                raise InvalidInput("The JSON text is nested too deeply.") from error
            except ValueError as error:  # a number with thousands of digits
                raise InvalidInput("The JSON text holds a number that is too long.") from error
            else:
                # A number may go on in the next piece: `-1.` is a number and the beginning of one.
                if end <= len(self._text) - NEAR_END or not self._more():
                    self._at = end
                    return found

    def members(self) -> Iterator[str]:
        """Yield the keys of the object that begins here; the caller takes each value before the next key."""
        self.take("{")
        if self.peek() == "}":
            self.take("}")
            return
        while True:
            if self.peek() != '"':
                self.take('"')
            key = self.value()
            self.take(":")
            yield key
            if self.peek() == "}":
                self.take("}")
                return
            self.take(",")

    def elements(self) -> Iterator[Any]:
        """Yield the elements of the array that begins here."""
        self.take("[")
        if self.peek() == "]":
            self.take("]")
            return
        while True:
            yield self.value()
            if self.peek() == "]":
                self.take("]")
                return
            self.take(",")

    def _more(self) -> bool:
        """Read on; False at the end of the text, which then stays as it is."""
        if self._over:
            return False
        kept = self._text[self._at :]
        if len(kept) > self._longest:
            raise TooLarge(f"A value of the JSON text is longer than {self._longest} characters.")
        # As much again as is waiting: a long value is then parsed a few times and not once for each piece.
        raw = self._file.read(max(PIECE, len(kept)))
        try:
            new = self._bytes.decode(raw, final=not raw)
        except UnicodeDecodeError as error:
            raise InvalidInput("The file is not UTF-8 text, or is cut off.") from error
        self._over = not raw
        if not self._over:
            self._text, self._at = kept + new, 0
        return not self._over

    def _refuse(self, error: json.JSONDecodeError, *, unfinished: bool) -> NoReturn:
        if unfinished:
            raise InvalidInput(CUT_OFF) from error
        raise InvalidInput(f"The JSON text is damaged: {error.msg}.") from error
