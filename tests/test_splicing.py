"""Ids put into prompts: exactly those ids, and around them exactly the text, whatever the vocabulary."""

from pathlib import Path

import gguf
import pytest
from models import spm_vocabulary, write_llama

from negtemp.errors import ModelError, PromptError, UsageError
from negtemp.model.library import Library
from negtemp.model.llama.chat import framed, has_template
from negtemp.model.llama.model import Model
from negtemp.model.tokens.lookup import token_id
from negtemp.model.tokens.splicing import SLOT, inside, template

PARTS = ('He said: "', SLOT, '"\nShe said: "', SLOT, '" and more')


@pytest.mark.parametrize("name", ["bundled", "hostile"])
def test_every_id_of_a_vocabulary_stands_in_its_slots_untouched(name: str, request: pytest.FixtureRequest) -> None:
    vocabulary = request.getfixturevalue(name).vocabulary
    filled = template(vocabulary, PARTS)
    before, between, after = filled.pieces
    for one in range(vocabulary.size):
        assert filled.fill(one) == (*before, one, *between, one, *after)
    # a vocabulary without a token for ▁ writes it in bytes
    text = [vocabulary.detokenize(piece).decode().replace("▁", " ") for piece in (before[1:], between, after)]
    assert text[0].lstrip() == PARTS[0]
    assert text[1:] == [PARTS[2], PARTS[4]]


@pytest.mark.parametrize("text", ["word", " word", "\nnext", '"', "  two", "слово", "1", "a", "\n\n", "."])
def test_no_space_is_put_before_a_text_inside_a_prompt(bundled: Model, text: str) -> None:
    assert bundled.vocabulary.detokenize(inside(bundled.vocabulary, text)) == text.encode()


def test_a_template_begins_as_the_models_own_prompts_do(bundled: Model) -> None:
    whole = template(bundled.vocabulary, ["Temperature is a concept", SLOT]).fill(7)
    assert list(whole) == [*bundled.vocabulary.tokenize("Temperature is a concept"), 7]


@pytest.fixture(scope="module")
def named(compiled: Library, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A vocabulary whose names need care."""
    pieces = ["▁entferne".encode(), b"word", "▁word".encode(), b"A", b"a", b"b"]
    return Model(compiled, write_llama(tmp_path_factory.mktemp("named") / "n.gguf", spm_vocabulary(pieces)))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("▁entferne", "▁entferne"), (" entferne", "▁entferne"), ("entferne", "▁entferne"), ("word", "word"),
        (" word", "▁word"), ("▁word", "▁word"), ("A", "A"), ("<0x41>", "<0x41>"), ("</s>", "</s>"), ("B", "<0x42>"),
    ],
)  # fmt: skip
def test_a_token_is_found_by_any_of_its_names(named: Model, text: str, name: str) -> None:
    assert named.vocabulary.name(token_id(named.vocabulary, text)) == name.encode()


def test_a_text_of_several_tokens_is_refused_and_they_are_listed(named: Model) -> None:
    with pytest.raises(UsageError, match=r"'abba' is not one token.*a \(\d+\), b \(\d+\), b \(\d+\), a \(\d+\)"):
        token_id(named.vocabulary, "abba")


def test_a_token_of_no_text_is_refused(named: Model) -> None:
    with pytest.raises(UsageError, match="no text"):
        token_id(named.vocabulary, "")


def test_the_name_of_an_id_that_does_not_exist_is_refused(named: Model) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        named.vocabulary.name(10**6)


def with_template(path: Path, text: str) -> Path:
    """The file written by `write_llama`, again, with a chat template."""
    copy = path.with_suffix(".chat.gguf")
    reader = gguf.GGUFReader(path)
    writer = gguf.GGUFWriter(copy, "llama")
    for field in reader.fields.values():
        if not field.name.startswith("GGUF.") and field.name != "general.architecture":
            kind = field.types[0]
            sub = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), kind, sub)
    writer.add_chat_template(text)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return copy


CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant"


def test_a_message_is_framed_as_the_template_says(compiled: Library, hostile_path: Path) -> None:
    with Model(compiled, with_template(hostile_path, CHATML)) as model:
        assert framed(model, "Say «слово».") == "<|im_start|>user\nSay «слово».<|im_end|>\n<|im_start|>assistant\n"


def test_a_template_that_llama_cpp_does_not_know_is_one_line(compiled: Library, hostile_path: Path) -> None:
    with Model(compiled, with_template(hostile_path, "{{ nonsense\n")) as model:
        assert has_template(model)
        with pytest.raises(PromptError, match=r"chat template \(\{\{ nonsense\\n…\)"):
            framed(model, "x")


def test_a_file_without_a_template_is_one_line(bundled: Model) -> None:
    assert not has_template(bundled)
    with pytest.raises(PromptError, match="no chat template"):
        framed(bundled, "x")
