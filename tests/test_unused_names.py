"""Names that real vocabularies give to tokens nobody has used, and names and words that only resemble them."""

import pytest

from negtemp.errors import UsageError
from negtemp.model.tokens.unused_names import is_unused_name, matching

# as the tokenizer files of these models write them
UNUSED = {
    "Llama 3": "<|reserved_special_token_0|> <|reserved_special_token_250|>",
    "Llama 4": "<|text_post_train_reserved_special_token_3|> <|vision_reserved_special_token_1000|>",
    "gpt-oss": "<|reserved_200000|>",
    "Gemma": "<unused0> <unused98> <unused6241>",
    "BERT": "[unused1] [unused993]",
    "ChatGLM": "<unused_0>",
    "InternLM 2": "[UNUSED_TOKEN_0] [UNUSED_TOKEN_141]",
    "Phi-3": "<|placeholder1|> <|placeholder6|>",
    "Phi-4": "<|dummy_0|> <|dummy_83|>",
    "DeepSeek": "<｜place▁holder▁no▁0｜> <｜place▁holder▁no▁799｜> <dummy00001>",
    "Hunyuan": "<｜hy_place▁holder▁no▁17｜>",
    "Seed": "<[PLHD3_never_used_51bce0c785ca2f68081bfa7d91973934]>",
    "Falcon 3": ">>UNUSED_0<< >>UNUSED_1999<<",
    "Granite": "<|unused_1|>",
    "Yi": "<|unused999|> <|reserved003|>",
    "Baichuan": "<reserved_106>",
    "Kimi": "<|reserved_token_163595|>",
    "PLaMo": "<|plamo:reserved:0x1E|>",
    "Qwen 1": "<|extra_0|> <|extra_204|>",
    "llama.cpp's converter": "[PAD151643] [PAD0]",
    "StableLM 2": "<|extra0|>",
    "OLMo 2": "<|extra_id_0|>",
    "EXAONE": "[extra_id_0]",
    "T5's heirs": "<extra_id_99>",
    "GPT-J": "<|extratoken_1|> <|extratoken_143|>",
    "Command R": "<|EXTRA_0_TOKEN|> <|EXTRA_9_TOKEN|>",
    "Mistral": "[control_8] [control_768] <SPECIAL_20> <SPECIAL_999>",
    "XLM": "<special7>",
    "SOLAR": "<|dummy|>",
    "fairseq": "madeupword0000 madeupword0002",
}
USED = tuple(
    """
    <|im_start|> <|endoftext|> <s> </s> <pad> [PAD] <unk> <|||> <think> [INST] <fim_pad> <|image_pad|> <|vision_pad|>
    <|finetune_right_pad_id|> <|start_header_id|> <|eot_id|> <|step_id|> |||IP_ADDRESS||| |||EMAIL_ADDRESS|||
    <|USER_1_TOKEN|> <｜begin▁of▁sentence｜> <｜tool▁calls▁begin｜> <[BOS_never_used_51bce0c785ca2f68081bfa7d91973934]>
    <think_never_used_51bce0c785ca2f68081bfa7d91973934> <loc0001> <seg001> <|box_0|> <|audio_12|> <mask_1> <0x00> <0xFF>
    >>ABSTRACT<< >>QUESTION<< <|placeholder|>
    """.split()  # noqa: SIM905
)
WORDS = (
    "unused", "▁unused", "Unused", "_reserved", "reserved", "placeholder", "[reserved]", "<placeholder>", "<unused>",
    "<extra>", "reserved1", "unused0", "control_8", "special1", "extra_id_0", "<h1>", "<br1>", "[1]", "<1>", "[]", "<>",
    "", "<|", "|>", "<|>", "padding0", "@Override", "UNUSED_0",
)  # fmt: skip


@pytest.mark.parametrize("name", [name for names in UNUSED.values() for name in names.split()])
def test_a_name_for_what_nobody_has_used_counts_as_unused(name: str) -> None:
    assert is_unused_name(name.encode())


@pytest.mark.parametrize("name", [*USED, *WORDS])
def test_a_name_that_says_what_it_is_for_and_a_word_of_text_do_not(name: str) -> None:
    assert not is_unused_name(name.encode())


def test_a_piece_of_no_utf8_has_no_name() -> None:
    assert not is_unused_name(b"<unused\xff0>")


def test_a_pattern_adds_names_and_takes_brackets_and_bars_as_they_are() -> None:
    test = matching(["<|slot_*|>", "[X]"])
    assert [test(name) for name in (b"<|slot_1|>", b"<|slot_|>", b"[X]", b"<unused1>")] == [True] * 4
    assert [test(name) for name in (b"<", b"slot_1", b"X", b"<|slots|>", b"a<|slot_1|>")] == [False] * 5


@pytest.mark.parametrize("pattern", ["", "*", "**"])
def test_a_pattern_that_fits_every_token_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match="fits every token"):
        matching([pattern])


def test_the_bundled_vocabulary_of_ordinary_words_holds_none(bundled_pieces: list[bytes]) -> None:
    assert [piece for piece in bundled_pieces if is_unused_name(piece)] == []


@pytest.fixture(scope="module")
def bundled_pieces() -> list[bytes]:
    """The pieces of the bundled vocabulary, by gguf's own reader."""
    import gguf

    from negtemp.model import model_file

    field = gguf.GGUFReader(model_file.bundled()).fields["tokenizer.ggml.tokens"]
    return [bytes(field.parts[index]) for index in field.data]
