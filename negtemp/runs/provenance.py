"""What ran, on which model, by which engine, on what machine: the head of every stream and of every run directory."""

import datetime
import hashlib
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from negtemp.experiments.settings import Settings
from negtemp.model.engine.engine import Engine
from negtemp.model.fingerprint import WHOLE
from negtemp.model.threads import default_threads
from negtemp.printable import printable_path
from negtemp.records import EngineBuild, Header, JsonValue, ModelFile, number
from negtemp.theory.temperature import Temperature
from negtemp.version import __version__


def header(command: str, engine: Engine, settings: Mapping[str, JsonValue]) -> Header:
    """The first record: what runs, on what, by what."""
    model, built = engine.model, engine.model.library
    return Header(
        negtemp=__version__,
        command=command,
        model=ModelFile(
            name=model.name,
            description=model.description,
            vocabulary=model.vocabulary.size,
            file=printable_path(model.path),
            fingerprint=model.fingerprint(),
            fingerprint_kind=WHOLE,
            reference=model.origin.reference,
            revision=model.origin.revision,
        ),
        engine=EngineBuild(llama_cpp_python=built.version, patches=tuple(built.patches), patched=True),
        settings=settings,
    )


def sampling(
    settings: Settings, prompts: Sequence[str], temperatures: Sequence[Temperature], seeds: Sequence[int]
) -> dict[str, Any]:
    """What a header's settings say of any generation; the name of a sweep's folder comes from this."""
    return {
        **asdict(settings),
        "prompts": list(prompts),
        "temperatures": [number(t.temperature) for t in temperatures],
        "betas": [number(t.beta) for t in temperatures],
        "seeds": list(seeds),
    }


def batches(engine: Engine, width: int) -> dict[str, Any]:
    """In which batches an engine decodes `width` sequences, which the last bits of the logits depend on."""
    return {
        "threads": engine.threads or default_threads(),
        "batch_width": width,
        "batch_rows": engine.timing.rows(width),
    }


def digest(header: Header) -> str:
    """Ten hexadecimal digits that tell runs apart by model, library and settings."""
    fixed = [header.model.fingerprint, header.engine.to_dict(), dict(header.settings)]
    return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode("ascii")).hexdigest()[:10]


def session(engine: Engine, width: int) -> dict[str, Any]:
    """One sitting at a run: when, where, and in batches of how many sequences."""
    return {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": platform.node(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        **batches(engine, width),
    }
