"""What a model emits over two dozen prompts, and how often each token came.

All filters are off, as in the article; a completion may end where the model ends it. It leaves out what they mean.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from negtemp.experiments.compare import compare
from negtemp.experiments.prompts import PROMPTS
from negtemp.experiments.settings import Settings
from negtemp.model.engine.engine import Engine
from negtemp.model.tokens.vocabulary import Vocabulary
from negtemp.records import Completion
from negtemp.theory.temperature import Temperature

BELOW_ZERO = Temperature.of(-0.001)

# tokens that steer a model rather than stand for text: asking for one would change the question
_STEERING = ("control", "unused", "unknown")
_TOKENS = 24


def below_zero(engine: Engine, seed: int) -> list[int]:
    """Ids that the model emits at T=-0.001 after PROMPTS, most frequent first. Raises DecodeError."""
    settings = Settings(n_predict=_TOKENS)
    return emitted(r for r in compare(engine, PROMPTS, [BELOW_ZERO], [seed], settings) if isinstance(r, Completion))


def emitted(completions: Iterable[Completion]) -> list[int]:
    """Ids in the completions, most frequent first, then by id."""
    seen = Counter(token_id for completion in completions for token_id in completion.token_ids)
    return sorted(seen, key=lambda token_id: (-seen[token_id], token_id))


def candidates(vocabulary: Vocabulary, token_ids: Sequence[int], limit: int) -> list[int]:
    """The first `limit` of the ids that stand for text."""
    return [one for one in token_ids if vocabulary.category(one) not in _STEERING][:limit]
