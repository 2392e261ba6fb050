"""What a model emits over two dozen prompts, and how often each token came.

The prompts are beginnings of plain English: the article's own and two dozen more, short, about different things, none
of them a quotation; each is also a piece of English that a model can be tested on (`coherence`). All filters are off,
as in the article; a completion may end where the model ends it. It leaves out what the tokens mean.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from negtemp.experiments.generate import compare
from negtemp.experiments.settings import PROMPT, Settings
from negtemp.model.engine.engine import Engine
from negtemp.model.tokens.vocabulary import Vocabulary
from negtemp.records import Completion
from negtemp.theory.temperature import Temperature

BELOW_ZERO = Temperature.of(-0.001)

# tokens that steer a model rather than stand for text: asking for one would change the question
_STEERING = ("control", "unused", "unknown")
_TOKENS = 24


PROMPTS = (
    PROMPT,
    "The children walked along the river until it was too dark to see the path",
    "A cup of tea that stands on the table for an hour",
    "When the train stopped at the small station, a woman with a red hat",
    "The first thing that a new student has to learn is",
    "Water boils at a lower temperature on a mountain because",
    "My grandmother kept a box of old letters under her bed and",
    "In the year that the bridge was built, the town",
    "If you want to bake a good loaf of bread, you should first",
    "The library was closed, but the light in the window of the second floor",
    "Most of the people who live on the island are",
    "A computer program is a list of instructions that",
    "The doctor looked at the picture for a long time and said that",
    "There are three reasons why the plan did not work. The first",
    "On the last day of winter the snow began to melt and the fields",
    "The king had two sons, and the younger of them",
    "To measure the length of a shadow you only need",
    "She opened the door of the old house and heard",
    "The history of the clock begins with",
    "Every language has words for things that",
    "He had never been to the sea before, so when he saw it",
    "The price of coffee went up again this year, and",
    "Birds that fly south in autumn find their way by",
    "I think that the best answer to your question is",
)


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
