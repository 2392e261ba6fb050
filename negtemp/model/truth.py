"""How often each token occurred in training, where somebody has counted: a JSON file with a list `counts`, one a token.

The bundled model has one beside it, `tiny.counts.json`; any file of that shape will do. It leaves out what the counts
are compared with.
"""

import json
from pathlib import Path

from negtemp.errors import ModelError
from negtemp.model import source

_SUFFIX = ".counts.json"


def beside(model: Path) -> Path | None:
    """The file of counts that lies beside a model file and bears its name; None where there is none."""
    path = model.with_suffix(_SUFFIX)
    return path if path.is_file() else None


def read(path: Path, vocab: int) -> tuple[int, ...]:
    """The counts, `[vocab]`. Raises ModelError where the file is none or belongs to another vocabulary."""
    shown = source.shown(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        counts = tuple(int(count) for count in found["counts"])
    except OSError as error:
        raise ModelError(f"cannot read the counts {shown}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{shown} holds no counts of tokens ({type(error).__name__}); give a JSON file "
                         'with a list "counts", one number a token') from error  # fmt: skip
    if len(counts) != vocab:
        raise ModelError(f"{shown} counts {len(counts)} tokens, the model has {vocab}; give the counts of this model")
    return counts
