"""The exception tree: every failure that negtemp expects, with the exit status it ends in.

    NegtempError                     1  something failed; the message is one line: what, the value, what to do
    ├── UsageError                   2  a wrong option or argument
    │   └── UnknownKeywordError         a keyword that the called function does not have; also a TypeError
    ├── EngineError                  5  the compiled library cannot be used
    │   ├── EngineMissingError          llama_cpp is not installed, or does not load
    │   └── UnpatchedLibraryError       it loads, but its temperature sampler is not ours
    ├── ModelError                   1  a model file that cannot be loaded or used
    ├── PromptError                  1  a prompt that cannot be read, or does not fit the context
    ├── DecodeError                  1  llama.cpp refused or failed to compute
    ├── ScanError                    1  a file to scan that cannot be read, or is not text
    │   └── EncodingError               it is not text in the encoding meant
    ├── RecordError                  1  a line that is not one of our records
    └── OutputError                  1  the result could not be written

Foreign exceptions (OSError, UnicodeDecodeError, those of ctypes) are translated where they enter: in `model`, in
`records` and in `cli`. `cli.main` alone turns this tree into one line and an exit status.
"""

from typing import ClassVar

INTERRUPTED = 130
"""The exit status after Ctrl-C, which is no error of this tree."""


class NegtempError(Exception):
    """Root of everything negtemp raises on purpose; its text is one line for the user."""

    exit_status: ClassVar[int] = 1


class UsageError(NegtempError):
    """A wrong value, such as a temperature of NaN."""

    exit_status = 2


class UnknownKeywordError(UsageError, TypeError):
    """A keyword that the called function does not have; Python callers expect a TypeError."""


class EngineError(NegtempError):
    """The compiled library cannot be used."""

    exit_status = 5


class EngineMissingError(EngineError):
    """llama_cpp is not installed in this environment, or its shared library does not load."""


class UnpatchedLibraryError(EngineError):
    """The library loads, but its temperature sampler does not invert below zero."""


class ModelError(NegtempError):
    """A model file that does not exist, cannot be loaded, or is no language model."""


class PromptError(NegtempError):
    """A prompt that cannot be read, is empty where it must not be, or does not fit the context."""


class DecodeError(NegtempError):
    """llama.cpp failed to compute the next logits."""


class ScanError(NegtempError):
    """A file to scan that cannot be read, or is not text."""


class EncodingError(ScanError):
    """A file to scan that is not text in the encoding meant."""


class RecordError(NegtempError):
    """A line of JSON that is not one of our records."""


class OutputError(NegtempError):
    """The result could not be written: a full disk, a folder that exists, a closed stream."""
