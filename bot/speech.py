"""Says every sentence in the reader's language. English is written in the code, Chinese in the catalogue."""

import gettext
import html
import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = ("zh", "en")
CATALOGUES = Path(__file__).parent / "locales"


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    path = CATALOGUES / language / "LC_MESSAGES" / "relay.po"
    if not path.exists():
        return gettext.NullTranslations()
    with path.open("rb") as source:
        catalogue = read_po(source, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@dataclass(frozen=True)
class Speech:
    """One language. `say` is for messages and escapes what it is given; `tell` is for plain one-line answers."""

    language: str

    def say(self, sentence: str, /, **values: object) -> str:
        """`sentence` translated, as HTML; the values are escaped, and on one line: no words of somebody's can pass for
        a line of ours."""
        plain = {name: html.escape(" ".join(str(value).split()), quote=True) for name, value in values.items()}
        return self.tell(sentence, **plain)

    def tell(self, sentence: str, /, **values: object) -> str:
        """`sentence` translated, as plain text. Without values the sentence is not formatted."""
        text = _catalogue(self.language).gettext(sentence) if sentence else ""
        return text.format(**values) if values else text


def choose(wishes: Iterable[str | None], default: str) -> Speech:
    """The first language wished for that is spoken here (`zh-hans` counts as `zh`), else the default."""
    for wish in wishes:
        language = (wish or "")[:2].lower()
        if language in LANGUAGES:
            return Speech(language)
    return Speech(default)
