"""What scripts imported from 0.1.0 is found by its former name for a version, with a warning that names the new one."""

import importlib
import operator
import sys

import pytest

from negtemp.model import former_names
from negtemp.model.engine.engine import Engine
from negtemp.model.llama.model import Model
from negtemp.model.tokens.categories import token_categories


def former(name: str) -> object:
    """The module of a former name, imported anew."""
    sys.modules.pop(name, None)
    with pytest.warns(DeprecationWarning, match=f"{name} is negtemp"):
        return importlib.import_module(name)


def test_a_moved_class_is_the_same_class() -> None:
    assert vars(former("negtemp.model.loaded"))["Model"] is Model


def test_a_renamed_function_is_found_by_its_former_name() -> None:
    assert vars(former("negtemp.model.roundtrip"))["field_categories"] is token_categories


@pytest.mark.parametrize("name", sorted(former_names._MODULES))
def test_every_former_module_is_filled(name: str) -> None:
    assert len(vars(former(f"negtemp.model.{name}"))) > 10


def test_a_module_that_became_a_package_gives_what_it_held() -> None:
    package = importlib.import_module("negtemp.model.engine")
    with pytest.warns(DeprecationWarning, match="engine.engine.Engine now"):
        assert package.Engine is Engine


def test_a_name_that_never_was_is_an_error_as_ever() -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("negtemp.model.never")
    with pytest.raises(AttributeError):
        operator.attrgetter("never")(importlib.import_module("negtemp.model.engine"))
