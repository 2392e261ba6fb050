"""Modules of `negtemp.model` by the names that 0.1.0 gave them, for one version, each with a warning.

A former module holds what the new one does, and what was renamed in it by its former name too; a module that became a
package gives what it held. It leaves out modules that nothing outside the package had a reason to import. Remove it,
and its lines in `model`, `model.engine` and `model.weights`, in 0.3.
"""

import importlib
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_PACKAGE = "negtemp.model."
_MODULES: Mapping[str, str] = {
    "chat": "llama.chat",
    "context": "llama.context",
    "filters": "engine.request",
    "generation": "engine.engine",
    "geometry": "weights.geometry",
    "gguf": "weights.gguf",
    "loaded": "llama.model",
    "naming": "tokens.lookup",
    "request": "engine.request",
    "roundtrip": "tokens.categories",
    "sampler": "engine.sampler",
    "scoring": "engine.prompt_logits",
    "source": "model_file",
    "splicing": "tokens.splicing",
    "vocabulary": "tokens.vocabulary",
    "words": "tokens.safe_splits",
}
_RENAMED: Mapping[str, str] = {
    "FieldCategory": "TokenCategory",
    "FIELD_CATEGORIES": "TOKEN_CATEGORIES",
    "field_categories": "token_categories",
}


class FormerNames(MetaPathFinder, Loader):
    """Finds a former module, and fills it from the new one."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.removeprefix(_PACKAGE) in _MODULES and fullname.startswith(_PACKAGE):
            return ModuleSpec(fullname, self)
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Warns with DeprecationWarning, in the name of whoever imports it."""
        new = _PACKAGE + _MODULES[module.__name__.removeprefix(_PACKAGE)]
        warnings.warn(f"{module.__name__} is {new} now", DeprecationWarning, stacklevel=2)
        found = vars(importlib.import_module(new))
        public = {name: value for name, value in found.items() if not name.startswith("__")}
        former = {old: public[now] for old, now in _RENAMED.items() if now in public}
        vars(module).update(public | former)


def install() -> None:
    """Look for former names last of all."""
    if not any(isinstance(finder, FormerNames) for finder in sys.meta_path):
        sys.meta_path.append(FormerNames())


def names_of(package: str, module: str) -> Callable[[str], Any]:
    """The `__getattr__` of a package that was one module and has its classes in `module` now."""

    def find(name: str) -> Any:
        if not name[:1].isupper():  # a class; a module is found by the import itself
            raise AttributeError(name)
        value = getattr(importlib.import_module(f"{package}.{module}"), name)
        warnings.warn(f"{package}.{name} is {package}.{module}.{name} now", DeprecationWarning, stacklevel=2)
        return value

    return find
