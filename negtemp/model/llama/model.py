"""A GGUF model in memory: its handle, its vocabulary, its name. Contexts that compute with it are in `context`.

llama.cpp refuses a bad file with a null pointer and lines in its log; the last of them are quoted here. It leaves out
embedding, diffusion and encoder-decoder models, which do not predict a next token, and the architectures that
llama.cpp computes wrongly as soon as several tokens share a batch.
"""

import ctypes
import functools
import os
from pathlib import Path
from typing import Any

import numpy as np

from negtemp.errors import ModelError, UsageError
from negtemp.model import fingerprint, rpc
from negtemp.model.library import Library
from negtemp.model.references.found import Found
from negtemp.model.tokens import table
from negtemp.model.tokens.vocabulary import Vocabulary
from negtemp.model.weights import gguf
from negtemp.model.weights.geometry import measure
from negtemp.model.weights.tensors import Weights, check_types
from negtemp.printable import printable_path, printable_text
from negtemp.progress import ProgressHook, no_progress

ALL_LAYERS = -1

# whose attention looks ahead, whether or not the file says so
_EMBEDDING = ("bert", "gemma-embedding", "llama-embed")
# found with upstream's own random models (tests/test-llama-archs.cpp) against decodes of one token: states of several
# sequences run into each other, or a row of logits is another token's
_WRONG_IN_BATCHES = ("arwkv7", "cogvlm", "plamo2", "rwkv6qwen2")


class Model:
    """A loaded language model. Close it, or use it as a context manager."""

    def __init__(
        self, library: Library, path: Path | Found, gpu_layers: int = ALL_LAYERS, vocabulary_only: bool = False
    ) -> None:
        """Raises ModelError, in one line with llama.cpp's own reason. `vocabulary_only` leaves the weights unread."""
        self.origin = path if isinstance(path, Found) else Found(path)
        path = self.origin.path
        self.files = gguf.splits(library, path)
        self._stats, self._fingerprint = fingerprint.stats(self.files), ""
        self.library, self.path, self.gpu_layers = library, path, gpu_layers
        api = library.api
        params = api.llama_model_default_params()
        params.n_gpu_layers = gpu_layers
        params.vocab_only = vocabulary_only
        library.log.clear()
        self.handle: Any = api.llama_model_load_from_file(os.fsencode(path), params)
        if not self.handle:
            raise ModelError(f"llama.cpp cannot load {printable_path(path)}: {library.last_errors()}; use another file")
        try:
            if problem := self._problem():
                raise ModelError(f"{printable_path(path)} {problem}")
            check_types(library, gguf.contents(library, path))
        except ModelError:
            self.close()
            raise
        template = api.llama_model_chat_template(self.handle, None) or b""
        self.vocabulary = Vocabulary(api, api.llama_model_get_vocab(self.handle), template, self._tokenizer_digest)

    def _tokenizer_digest(self) -> str | None:
        """What tells this vocabulary from others; None where the file has changed since it was loaded."""
        found = table.digest(self.files[0], self.library.version)
        try:
            return found if fingerprint.stats(self.files) == self._stats else None
        except ModelError:
            return None

    def _problem(self) -> str | None:
        """Why this model predicts no next token, or not reliably; None for a causal language model."""
        api, architecture = self.library.api, self._metadata("general.architecture") or ""
        if api.llama_model_has_encoder(self.handle) or not api.llama_model_has_decoder(self.handle):
            return "has an encoder; negtemp needs a decoder-only language model"
        if api.llama_model_is_diffusion(self.handle):
            return "is a diffusion model; negtemp needs a causal language model"
        looks_ahead = any(name in architecture for name in _EMBEDDING)
        if looks_ahead or self._metadata(f"{architecture}.attention.causal") == "false":
            return "is an embedding model; negtemp needs a causal language model"
        if architecture in _WRONG_IN_BATCHES:
            return f"is a {architecture} model, which this llama.cpp gets wrong in batches; use another model"
        return None

    def _metadata(self, key: str) -> str | None:
        size = 256
        buffer = ctypes.create_string_buffer(size)
        written = self.library.api.llama_model_meta_val_str(self.handle, key.encode(), buffer, size)
        return buffer.value.decode("utf-8", "replace") if written >= 0 else None

    @property
    def name(self) -> str:
        """The name that the file gives itself, or the file's own."""
        given = self._metadata("general.name")
        return printable_text(given, keep=" ") if given else printable_path(Path(self.path.name))

    def fingerprint(self, progress: ProgressHook = no_progress) -> str:
        """The digest of every byte of the model's files (`model.fingerprint`). Raises ModelError where they changed."""
        if not self._fingerprint:
            if fingerprint.stats(self.files) != self._stats:
                raise ModelError(f"{printable_path(self.path)} has changed since it was loaded; run again")
            self._fingerprint = fingerprint.fingerprint(self.files, progress)
        return self._fingerprint

    @functools.cached_property
    def centroid_percentiles(self) -> tuple[float, ...] | None:
        """How far each token's input embedding lies from their centroid, 0 the nearest and 100 the farthest; `[vocab]`.

        Read from the file once, in a fraction of the time that loading the model takes; None where it holds no
        embedding of this vocabulary that ggml can dequantise.
        """
        try:
            with Weights(self.library, self.path) as weights:
                found = measure(weights.embedding.first(self.vocabulary.size)).percentiles
        except ModelError:
            return None
        return tuple(found.tolist()) if len(found) == self.vocabulary.size and np.isfinite(found).all() else None

    @property
    def trained_context(self) -> int:
        """Tokens of context that the model was trained on."""
        return int(self.library.api.llama_model_n_ctx_train(self.handle))

    def context(self, wanted: int | None) -> int:
        """Tokens that a sequence may hold: as wanted, or as trained. Raises UsageError beyond learned positions."""
        trained = self.trained_context
        if wanted and wanted > trained and "position_embd.weight" in gguf.contents(self.library, self.path).entries:
            raise UsageError(f"`ctx_size` is {wanted}; this model has learned {trained} positions: give no more")
        return wanted or trained

    @functools.cached_property
    def short_context(self) -> int | None:
        """Tokens beyond which LongRoPE turns to other angles; None for a model without it.

        llama.cpp decides by the cells of the cache, not by the length of a sequence in it.
        """
        original = self._metadata(f"{self._metadata('general.architecture')}.rope.scaling.original_context_length")
        if original is None or "rope_factors_long.weight" not in gguf.contents(self.library, self.path).entries:
            return None
        return int(original)

    @property
    def on_devices(self) -> bool:
        """Whether devices of this machine compute every layer, so that the CPU is idle while they do."""
        every = self.gpu_layers < 0 or self.gpu_layers > self.layers
        return every and not rpc.in_use() and bool(self.library.api.llama_supports_gpu_offload())

    @property
    def layers(self) -> int:
        return int(self.library.api.llama_model_n_layer(self.handle))

    @property
    def key_value_width(self) -> int:
        """Values that a layer's keys take for one token; its values take as many."""
        api = self.library.api
        heads, key_heads = api.llama_model_n_head(self.handle), api.llama_model_n_head_kv(self.handle)
        length = self._metadata(f"{self._metadata('general.architecture')}.attention.key_length")
        return int(key_heads * (int(length) if length else api.llama_model_n_embd(self.handle) // max(1, heads)))

    @property
    def can_cut_memory(self) -> bool:
        """Whether a sequence's memory can be shared up to a position; a recurrent state is all or nothing."""
        api = self.library.api
        return not (api.llama_model_is_recurrent(self.handle) or api.llama_model_is_hybrid(self.handle))

    @property
    def description(self) -> str:
        """llama.cpp's own words: architecture, size, quantisation; the size counted where it says `?B`."""
        buffer = ctypes.create_string_buffer(256)
        self.library.api.llama_model_desc(self.handle, buffer, len(buffer))
        millions = self.library.api.llama_model_n_params(self.handle) / 1e6
        size = f"{millions / 1000:.1f}B" if millions >= 1000 else f"{millions:.1f}M"
        # where only the vocabulary is loaded llama.cpp says nothing
        said = buffer.value.replace(b"?B", size.encode()).decode("utf-8", "surrogateescape")
        return printable_text((said or self._metadata("general.architecture") or ""), " ")

    def close(self) -> None:
        if self.handle:
            self.library.api.llama_model_free(self.handle)
            self.handle = None

    def __enter__(self) -> "Model":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
