"""The records of an audit, of the difference of two, and of a scan.

    AuditToken    one token: its indicators, and what asking the model to say it showed
    Audit         once, last: what the whole audit rests on, counts by category, and whether anything can be said
    Change        one token that two models disagree about
    Difference    once, last: how alike two audits are
    Occurrence    one such token found in somebody's files
    Scanned       one file that was read

A token is *suspect* by its score, before the model is asked (`candidate` in the line); *asked* where the model was
asked to say it; *confirmed* where it was asked and all but cannot say it. `verdict` is of the scale in `records.trial`;
null where the token was not asked for, or the model does not say its reference tokens.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import ClassVar, Literal

from negtemp.records.codec import Part, part, written
from negtemp.records.lines import Record, TokenBytes, record
from negtemp.records.trial import CONFIRMED_BELOW, Verdict
from negtemp.records.values import Known


@record
class AuditToken(TokenBytes, Record):
    """One token of an audit.

    rank           0 = most suspect of the vocabulary
    score          0 = as tokens in use, 1 = as the core of the suspects; a rank where nothing gives a scale; NaN: none
    indicators     by name, higher = more suspect; NaN where the token has none
    candidate      whether it is suspect
    probability    greatest probability of the exact id when asked to say it; None where it was not asked
    probabilities  the same for each prompt
    superstrings   ids of tokens that this one is a part of, which explain a fragment left over by merges
    """

    kind: ClassVar[str] = "token"
    discriminator: ClassVar[str] = "indicators"
    token_id: int
    raw: bytes
    category: str
    rank: int
    score: float
    indicators: Mapping[str, float]
    candidate: bool = False
    probability: float | None = None
    verdict: Verdict | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    superstrings: tuple[int, ...] = ()

    @property
    def suspect(self) -> bool:
        """Whether it is among the first of the ranking that count as suspect, before the model is asked."""
        return self.candidate

    @property
    def asked(self) -> bool:
        return self.probability is not None

    @property
    def confirmed(self) -> bool:
        """Whether a model that says its reference tokens all but cannot say this one."""
        return self.verdict is not None and self.probability is not None and self.probability < CONFIRMED_BELOW

    @property
    def is_reported(self) -> bool:
        """Whether the audit reports it as under-trained: confirmed or, without a verdict, suspect."""
        return self.suspect if self.verdict is None else self.confirmed


@part
class Reference(Part):
    """Where the tokens known to be unused were found, and how many they are."""

    source: str
    tokens: int


@part
class Controls(Part):
    """The reference tokens: whether they were said, the median of p, how many had p >= 0.1 and p < 0.001."""

    tokens: int = 0
    said: bool = False
    median: float | None = None
    rejected: int = 0
    strong: int = 0


@part
class CategoryCounts(Part):
    """How many tokens of one category there are, are suspect, were asked for, and got which verdict."""

    tokens: int = 0
    candidates: int = 0
    verified: int = 0
    strong: int = 0
    weak: int = 0
    rejected: int = 0
    below_0_01: int = 0


@part
class AgainstCounts(Part):
    """An audit against how often each token occurred in training; None where a share is of nothing.

    never, rare    tokens that never occurred, that occurred 1 to 5 times
    precision      share of candidates that never occurred; `recall` is of those that never occurred
    *_with_rare    the same for those that occurred at most 5 times
    auc_*          of the score, for those that never occurred, or rarely, against all of 6 times or more
    """

    never: int
    rare: int
    candidates: int
    precision: float | None
    recall: float | None
    precision_with_rare: float | None
    recall_with_rare: float | None
    recall_at_95_precision: float | None
    auc_never: float | None
    auc_rare: float | None


@part
class LevelFigures(Part):
    """The level of tokens that were never trained (`theory.level`), and what was made of it.

    tokens       how many lie there
    by_group     the same by each group of contexts alone
    probability  mean probability of the median token there, at T = 1
    radius       nats; how near they lie to one another: root-mean-square of the difference of logits over contexts
    usual        nats; how far from the level a usual token in use lies
    threshold    nats; how near to it a token is suspect
    false_share  share of tokens in use expected among the suspect ones
    runaway      share of suspect tokens among those that the model drew for its contexts
    """

    tokens: int
    by_group: tuple[int, ...]
    probability: float
    radius: float
    usual: float
    threshold: float
    false_share: float
    runaway: float


@record
class Audit(Record):
    """What an audit as a whole found.

    problem      why nothing can be said, or None
    combined     the indicators that the score is made of
    reference    where the tokens known to be unused were found, and how many
    structure    probability that a token known to be unused outranks one that the model writes; None without any
    threshold    score from which a token is suspect; None where a number or a share of tokens is
    controls     what asking for tokens in use showed, before any other was asked for
    categories   figures by category
    truth        against a file of counts, where one was given
    level        the level of tokens never trained; None where there is none, or in an audit of before 0.2
    """

    kind: ClassVar[str] = "audit"
    problem: str | None
    combined: tuple[str, ...]
    reference: Reference
    structure: float | None
    threshold: float | None
    controls: Controls
    categories: Mapping[str, CategoryCounts]
    truth: AgainstCounts | None = None
    level: Known[LevelFigures] = None

    @property
    def can_verify(self) -> bool:
        """Whether the model said its controls, without which a verdict means nothing."""
        return self.controls.said


@record
class Change(Record):
    """One token that is suspect in one of two models and not in the other."""

    kind: ClassVar[str] = "change"
    change: Literal["appeared", "healed"]
    before: AuditToken
    after: AuditToken

    @property
    @written(after="change")
    def token_id(self) -> int:
        return self.after.token_id

    @property
    @written(after="change")
    def raw(self) -> bytes:
        return self.after.raw

    @property
    @written(after="change")
    def category(self) -> str:
        return self.after.category


@record
class Difference(Record):
    """How alike two audits are.

    names          of the two models
    correlation    Spearman's, of the score, over the vocabulary; None where one of them is constant
    by_indicator   the same for each indicator that both have
    appeared, healed, both    tokens suspect only after, only before, in both
    """

    kind: ClassVar[str] = "difference"
    names: tuple[str, str]
    tokens: int
    correlation: float | None
    by_indicator: Mapping[str, float | None]
    appeared: int
    healed: int
    both: int


@record
class Occurrence(TokenBytes, Record):
    """One under-trained token in one file.

    strings   times its bytes stand there, overlapping ones and parts of longer words included
    tokens    times the tokenizer makes this token of the text; None where it was not asked
    lines     numbers of the first lines in which it was found, from 1
    """

    kind: ClassVar[str] = "occurrence"
    file: str
    token_id: int
    raw: bytes
    verdict: Verdict | None
    probability: float | None
    strings: int
    tokens: int | None
    lines: tuple[int, ...]


@part
class Lines(Part):
    """Lines of a file: how many, and the numbers of the first of them, from 1."""

    count: int
    first: tuple[int, ...]


@record
class Scanned(Record):
    """One file that was read, and what was found in all. Fields that are None are left out of the line.

    size           bytes that were read, of an archive as it is stored
    texts          lines, or strings of JSON or Parquet
    layout         text, json or parquet; None in records of 0.1.0
    encoding       of text and JSON
    not_json       lines of JSON that are not JSON, and were searched as text
    not_utf_8      lines of JSON with bytes that are not UTF-8, which were taken for U+FFFD
    parted         lines too long to be tokenized at once: where they were parted, tokens may differ
    interrupted    true where the rest was not read
    """

    kind: ClassVar[str] = "scanned"
    file: str
    size: int
    texts: int
    strings: int
    tokens: int | None
    layout: Known[str] = None
    encoding: Known[str] = None
    not_json: Known[Lines] = None
    not_utf_8: Known[Lines] = None
    parted: Known[Lines] = None
    interrupted: Known[bool] = None
