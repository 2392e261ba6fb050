"""The vocabulary: SentencePiece BPE with byte fallback, trained on more text than the model is.

Beside the model's English it sees the names of months, days, places, languages and currencies in
eight European languages (Babel's copy of the Unicode CLDR). The model never reads those, so the
tokens they leave behind are never trained: the way real vocabularies come to hold words that their
models do not know.
"""

import io
from collections.abc import Iterator, Sequence

import sentencepiece
from babel import Locale

LANGUAGES = ("de", "fr", "es", "pl", "cs", "hu", "sr", "ru")
# fmt: off
COUNTRIES = (
    "AT", "BE", "CH", "CZ", "DE", "EG", "ES", "FI", "FR", "GB", "GR",
    "HU", "IT", "NL", "NO", "PL", "RO", "RS", "RU", "UA", "US",
)
# fmt: on
# A word earns a token only if it is about as common as the English ones: repeats of each list.
CALENDAR_REPEATS = 250
COUNTRY_REPEATS = 120
SIZE = 2048


def calendar(locale: Locale) -> list[str]:
    """Months and days of the week, in full, as they stand alone."""
    return [name for forms in (locale.months, locale.days) for name in forms["stand-alone"]["wide"].values()]


def countries(locale: Locale) -> list[str]:
    """The countries of `COUNTRIES`."""
    return [locale.territories[code] for code in COUNTRIES]


def other_names(locale: Locale) -> list[str]:
    """Countries and languages with a two-letter code, cities that name a time zone, currencies."""
    coded = (*locale.territories.items(), *locale.languages.items())
    cities = [zone["city"] for zone in locale.time_zones.values() if "city" in zone]
    return [name for code, name in coded if len(code) == 2] + cities + list(locale.currencies.values())


def foreign_lines(languages: Sequence[str] = LANGUAGES) -> Iterator[str]:
    """Lines of names for the tokenizer alone."""
    for code in languages:
        locale = Locale.parse(code)
        yield from [" ".join(calendar(locale))] * CALENDAR_REPEATS
        yield from [" ".join(countries(locale))] * COUNTRY_REPEATS
        yield " ".join(other_names(locale))


def train_tokenizer(lines: Sequence[str], size: int = SIZE) -> sentencepiece.SentencePieceProcessor:
    """A BPE vocabulary laid out as LLaMA's: `<unk>`, `<s>`, `</s>`, 256 bytes, then pieces."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type="bpe",
        vocab_size=size,
        byte_fallback=True,
        character_coverage=0.9999,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        max_sentence_length=1 << 20,
        minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
