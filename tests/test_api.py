"""The Python face: what is there can be found, what is wrong is named, lists are taken where texts are."""

import dataclasses
import inspect
import typing
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import negtemp
from negtemp import api
from negtemp.errors import NegtempError, PromptError, UsageError
from negtemp.experiments.audit import AuditSettings
from negtemp.experiments.repeat import RepeatSettings
from negtemp.experiments.reproduce import ReproduceSettings
from negtemp.experiments.settings import SETTINGS, Settings, SettingsOptions
from negtemp.model.engine.engine import Engine
from negtemp.model.llama.model import Model
from negtemp.records import Completion, Step

PROMPT = "Temperature is a concept"


@pytest.fixture(scope="module")
def model(bundled: Model) -> Iterator[api.LoadedModel]:
    yield api.LoadedModel(Engine(bundled, 1))


def test_the_package_lists_what_it_offers() -> None:
    assert set(dir(negtemp)) >= {"load", "load_run", "LoadedModel", "NegtempError", "__version__"}
    assert all(getattr(negtemp, name) is not None for name in dir(negtemp))


def test_a_model_says_which_it_is(model: api.LoadedModel) -> None:
    assert "negtemp tiny" in repr(model) and "2,048 tokens" in repr(model) and "tiny.gguf" in repr(model)


def test_a_closed_model_says_so() -> None:
    with negtemp.load() as model:
        pass
    assert "closed" in repr(model)


def test_tokens_are_those_of_a_prompt_and_their_bytes_its_text(model: api.LoadedModel) -> None:
    completion = model.complete(PROMPT, n_predict=1)
    assert tuple(model.tokenize(PROMPT)) == completion.prompt_token_ids
    assert model.detokenize(model.tokenize(PROMPT)).decode().strip().endswith(PROMPT)


def test_logits_are_those_that_the_greedy_token_comes_from(model: api.LoadedModel) -> None:
    logits = model.logits(PROMPT)
    step = next(record for record in model.generate(PROMPT, temperature=0.0) if isinstance(record, Step))
    assert logits.shape == (2048,) and int(logits.argmax()) == step.token_id
    top = float(logits[step.token_id] - np.logaddexp.reduce(logits.astype(np.float64)))
    assert top == pytest.approx(step.logprob, abs=1e-3)


def test_a_list_of_prompts_is_the_prompts_one_after_the_other(model: api.LoadedModel) -> None:
    prompts = [PROMPT, "In the beginning"]
    listed = [r.token_ids for r in model.generate(prompts, n_predict=3) if isinstance(r, Completion)]
    spread = [r.token_ids for r in model.generate(*prompts, n_predict=3) if isinstance(r, Completion)]
    assert listed == spread == [r.token_ids for r in model.complete(prompts, n_predict=3)]
    assert np.allclose(model.logits(prompts)[1], model.logits(prompts[1]), atol=1e-2)


def test_an_empty_list_of_prompts_is_none(model: api.LoadedModel) -> None:
    assert list(model.generate([])) == [] and model.complete([]) == [] and model.logits([]).shape == (0, 2048)


def test_what_is_no_text_is_refused(model: api.LoadedModel) -> None:
    with pytest.raises(UsageError, match="a prompt is a text, not 7"):
        model.generate([7])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("method", "wrong", "meant"),
    [("generate", "tempreature", "temperature"), ("generate", "n_predit", "n_predict"), ("compare", "seed", "seeds"),
     ("sweep", "repeat", "repeats"), ("spectrum", "beta_s", "betas"), ("repeat", "sample", "samples"),
     ("reproduce", "control", "controls"), ("centroid", "tops", "top"), ("audit", "verfy", "verify")],
)  # fmt: skip
def test_a_misspelt_keyword_is_named_with_the_nearest(
    model: api.LoadedModel, method: str, wrong: str, meant: str
) -> None:
    with pytest.raises(TypeError, match=f"'{wrong}'; did you mean '{meant}'") as raised:
        getattr(model, method)(**{wrong: 1})
    assert isinstance(raised.value, NegtempError)


def test_a_keyword_like_none_gets_the_list(model: api.LoadedModel) -> None:
    with pytest.raises(UsageError, match=r"it knows .*n_predict"):
        model.generate(zzz=1)  # type: ignore[call-arg]


@pytest.mark.parametrize("method", ["generate", "compare", "sweep", "spectrum"])
def test_the_signature_shows_every_sampling_option(method: str) -> None:
    assert set(inspect.signature(getattr(api.LoadedModel, method)).parameters) >= set(SETTINGS)


@pytest.mark.parametrize(
    ("table", "options"),
    [(Settings, SettingsOptions), (RepeatSettings, api.RepeatOptions), (ReproduceSettings, api.ReproduceOptions),
     (AuditSettings, api.AuditOptions)],
)  # fmt: skip
def test_the_typed_keywords_are_the_fields(table: Any, options: Any) -> None:
    fields = {field.name for field in dataclasses.fields(table)}
    assert set(typing.get_type_hints(options)) >= fields


def test_the_public_face_has_no_untyped_keyword() -> None:
    for name, method in inspect.getmembers(api.LoadedModel, inspect.isfunction):
        hints = typing.get_type_hints(inspect.unwrap(method))
        assert Any not in hints.values(), name


@pytest.mark.parametrize(
    ("options", "field"),
    [({"n_predict": 0}, "n_predict"), ({"ctx_size": -1}, "ctx_size"), ({"top_p": 2.0}, "top_p"),
     ({"mask": ("x",)}, "mask"), ({"repeat_penalty": 0.0}, "repeat_penalty")],
)  # fmt: skip
def test_an_error_names_the_field_and_no_flag(model: api.LoadedModel, options: dict[str, Any], field: str) -> None:
    with pytest.raises(UsageError, match=f"`{field}`") as raised:
        model.complete(PROMPT, **options)
    assert "--" not in str(raised.value)


def test_a_prompt_too_long_names_the_field(model: api.LoadedModel) -> None:
    with pytest.raises(PromptError, match="`ctx_size`"):
        model.complete("word " * 600)
