"""What the family reads: tokenizers all of it, models a part, so that tokens are seen never, rarely and often.

- English: Python's documentation, the sentences that the bundled model learned from (`tiny_model.corpus`); tokenizers
  and models read it all.
- Names in eight languages (Babel's copy of the Unicode CLDR), as the bundled vocabulary has them: tokenizers read them
  many times, a model as often as `DOSES` says, down to never.
- Python source of the standard library: tokenizers read a quarter of its files, a model one of sixty-four; one of
  sixteen, less those, is the other text for fine-tuning.

Nothing is taken out for being rare: what a model was shown is counted afterwards, token by token (`training`).
"""

import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random

from babel import Locale
from tiny_model.corpus import Corpus, read_corpus
from tiny_model.vocabulary import calendar, countries, foreign_lines, other_names

from audit import SCRIPTS

OWN_TEXT = SCRIPTS / "tiny_model" / "temperature.txt"
DEBIAN_DOCUMENTATION = Path("/usr/share/doc/python3.11/html")

# how many times a model reads each name of a language; those not named here are never read
DOSES = {"de": 24, "fr": 10, "es": 4, "pl": 2, "cs": 1}
NAMES_A_DOCUMENT = 24
TOKENIZER_READS_ONE_FILE_IN, TUNING_READS_ONE_FILE_IN, MODEL_READS_ONE_FILE_IN = 4, 16, 64


@dataclass(frozen=True)
class Text:
    """Documents for the models and, with more beside them, for the tokenizers; others for fine-tuning."""

    for_models: tuple[str, ...]
    for_tokenizers: tuple[str, ...]
    source: str
    for_tuning: tuple[str, ...] = ()


def read_text() -> Text:
    """All of it, the same on every call on one machine."""
    documentation = DEBIAN_DOCUMENTATION if DEBIAN_DOCUMENTATION.is_dir() else None
    corpus = read_corpus(documentation, OWN_TEXT)
    english = tuple(english_documents(corpus))
    return Text(
        for_models=(*english, *names_read(), *source_files(MODEL_READS_ONE_FILE_IN)),
        for_tokenizers=(*english, *foreign_lines(), *source_files(TOKENIZER_READS_ONE_FILE_IN)),
        source=corpus.source,
        for_tuning=tuple(source_files(TUNING_READS_ONE_FILE_IN, but_one_in=MODEL_READS_ONE_FILE_IN)),
    )


def english_documents(corpus: Corpus) -> Iterator[str]:
    """Every page, and our own paragraphs as one."""
    for page in (*corpus.training, *corpus.held_out):
        yield "\n".join(page.paragraphs)
    yield "\n".join(corpus.own)


def names_read() -> Iterator[str]:
    """Names in a shuffled order, each language as often as its dose."""
    random = Random(0)
    for code, dose in DOSES.items():
        locale = Locale.parse(code)
        names = [*calendar(locale), *countries(locale), *other_names(locale)]
        for _ in range(dose):
            random.shuffle(names)
            for start in range(0, len(names), NAMES_A_DOCUMENT):
                yield ", ".join(names[start : start + NAMES_A_DOCUMENT])


def source_files(one_in: int, but_one_in: int | None = None) -> Iterator[str]:
    """Python files of the standard library, chosen by a hash of their names; those of `but_one_in` are left out."""
    library = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(library.glob("*.py")):
        drawn = sha256(path.name.encode()).digest()[0]
        if drawn % one_in == 0 and (but_one_in is None or drawn % but_one_in != 0):
            yield path.read_text(encoding="utf-8", errors="replace")
