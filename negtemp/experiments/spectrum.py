"""What is the next token's distribution at every temperature of either sign, from one forward pass?

The logits after a prompt are computed once; every beta is then arithmetic on them, exact and in float64. With `along`,
tokens are drawn at one temperature, and the same is asked again after each: one pass over the text in all. A mask
applies to the spectrum and to the draw alike. It leaves out the other samplers, which have no place on the beta axis:
Settings that ask for them are refused.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from negtemp.errors import ModelError, UsageError
from negtemp.experiments.generate import SequenceSpec, requests
from negtemp.experiments.settings import Settings
from negtemp.model.engine.engine import Engine, Request
from negtemp.model.engine.sampler import Chain
from negtemp.model.llama.context import Context, Logits
from negtemp.model.tokens.vocabulary import Vocabulary
from negtemp.records import Spectrum, Thermo, finite
from negtemp.records.thermo import BySign, Density, PlacedToken, Shelf
from negtemp.theory import axis
from negtemp.theory import thermodynamics as thermo
from negtemp.theory.boltzmann import log_probabilities
from negtemp.theory.temperature import GREEDY, Temperature

BETAS = axis.grid()
RULERS = 5
_BINS = 60


def spectrum(
    engine: Engine,
    prompts: Sequence[str],
    settings: Settings,
    *,
    betas: Sequence[float] = BETAS,
    rulers: int = RULERS,
    along: int = 0,
    temperature: Temperature = GREEDY,
    seed: int = 1,
) -> Iterator[Thermo | Spectrum]:
    """For each prompt and position: a Thermo at each beta, ascending, then the Spectrum, with that many rulers a side.

    Positions are 0 to `along`, fewer where an end-of-generation token is drawn or the context is full. Raises
    UsageError, PromptError, ModelError (every token masked), DecodeError.
    """
    if along < 0:
        raise UsageError(f"`along` is {along}; give a whole number of at least 0")
    if not settings.filters(engine.model.vocabulary).only_mask:
        raise UsageError("a spectrum is of the whole distribution: leave top-k, top-p, min-p and the penalty off")
    grid = sorted({Temperature.of_beta(beta).beta for beta in betas})
    plan = requests(
        engine.model, [SequenceSpec(prompt, temperature, seed) for prompt in prompts],
        replace(settings, n_predict=max(along, 1)),
    )  # fmt: skip
    for request in plan:
        for position, (logits, token_id) in enumerate(_walk(engine, request, along)):
            place = _Place(engine.model.vocabulary, request, position, logits)
            yield from place.states(grid)
            yield place.summary(token_id, rulers)


def _walk(engine: Engine, request: Request, along: int) -> Iterator[tuple[Logits, int | None]]:
    """The logits at each position, and the token drawn from them that leads to the next; None at the last."""
    model = engine.model
    prompt = request.prompt_token_ids
    if len(request.filters.mask) >= model.vocabulary.size:
        raise ModelError(f"the mask leaves none of {model.vocabulary.size} tokens; mask fewer categories")
    with (
        Context(model, 1, request.longest, engine.threads) as context,
        Chain(model.library, model.vocabulary.size, request.temperature, request.filters, request.seed) as chain,
    ):
        logits = context.prompt(prompt, 0)
        for end in range(len(prompt), len(prompt) + along):
            token_id = chain.draw(logits).token_id
            if model.vocabulary.is_end(token_id) or end >= request.ctx_size:
                break
            yield logits, token_id
            (logits,) = context.step([(token_id, end, 0)])
        yield logits, None


class _Place:
    """One distribution: the logits `[vocab]` at one position, masked."""

    def __init__(self, vocabulary: Vocabulary, request: Request, position: int, logits: Logits) -> None:
        self._vocabulary, self._request, self._position = vocabulary, request, position
        self._logits = logits.astype(np.float64)
        self._logits[list(request.filters.mask)] = -np.inf
        self._allowed = thermo.allowed(self._logits)
        if not len(self._allowed):
            raise ModelError("the model and the mask leave no token with a finite logit; mask fewer categories")

    def states(self, betas: Sequence[float]) -> Iterator[Thermo]:
        """The state at each beta."""
        curves = thermo.curves(self._allowed, betas)
        ruler = {sign: thermo.favoured(self._logits, sign, 1)[0] for sign in thermo.SIGNS}
        one_rules = len(self._allowed) == 1
        level = not one_rules and self._allowed.min() == self._allowed.max()
        for index, beta in enumerate(betas):
            nobody = level or (beta == 0 and not one_rules)
            yield Thermo(
                sequence=self._request.sequence, position=self._position, beta=beta,
                log_z=finite(float(curves.log_z[index])), entropy=float(curves.entropy[index]),
                energy=float(curves.energy[index]), heat_capacity=float(curves.heat_capacity[index]),
                token_id=None if nobody else ruler[1 if beta >= 0 else -1],
                probability=float(curves.probability[index]),
            )  # fmt: skip

    def summary(self, following: int | None, rulers: int) -> Spectrum:
        """What holds at every beta."""
        z, logits = self._allowed, self._logits
        log_p = log_probabilities(logits)
        return Spectrum(
            sequence=self._request.sequence, position=self._position, prompt=self._request.prompt,
            following=None if following is None else self._placed(following, log_p), tokens=len(z),
            masked=len(logits) - len(z), max_entropy=float(np.log(len(z))),
            entropy=float(thermo.curves(z, [1.0]).entropy[0]), density=self._density(),
            half_entropy=BySign(positive=thermo.half_entropy_beta(z, 1), negative=thermo.half_entropy_beta(z, -1)),
            half_share=BySign(positive=thermo.half_share_beta(z, 1), negative=thermo.half_share_beta(z, -1)),
            shelf=BySign(positive=self._shelf(1), negative=self._shelf(-1)),
            ties=BySign(positive=thermo.ties(z, 1), negative=thermo.ties(z, -1)),
            rulers=BySign(positive=self._rulers(1, rulers, log_p), negative=self._rulers(-1, rulers, log_p)),
        )  # fmt: skip

    def _shelf(self, sign: thermo.Sign) -> Shelf | None:
        beta = thermo.plateau_beta(self._allowed, sign)
        if beta is None:
            return None
        curves = thermo.curves(self._allowed, [beta])
        return Shelf(beta=beta, tokens=float(np.exp(curves.entropy[0])), heat_capacity=float(curves.heat_capacity[0]))

    def _density(self) -> Density:
        z = self._allowed
        edges, counts = thermo.density(z, _BINS)
        return Density(
            lowest=float(z.min()), highest=float(z.max()), mean=float(z.mean()), deviation=float(z.std()),
            edges=tuple(edges.tolist()), counts=tuple(counts.tolist()),
        )  # fmt: skip

    def _rulers(self, sign: thermo.Sign, count: int, log_p: thermo.Array) -> tuple[PlacedToken, ...]:
        return tuple(self._placed(token_id, log_p) for token_id in thermo.favoured(self._logits, sign, count))

    def _placed(self, token_id: int, log_p: thermo.Array) -> PlacedToken:
        return PlacedToken(
            token_id=token_id, raw=self._vocabulary.piece(token_id), category=self._vocabulary.category(token_id),
            logit=float(self._logits[token_id]), logprob=float(log_p[token_id]),
        )  # fmt: skip
