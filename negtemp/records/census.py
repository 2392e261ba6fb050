"""The records of a census: how many tokens a model never trained, by three ways that know nothing of one another.

    Plateau    one context's plateau of the entropy below zero, or that it has none
    Census     once, last: the three counts

Counts come with the interval of what they were taken over, contexts or groups of contexts; a list has none.
"""

from collections.abc import Mapping
from typing import ClassVar

from negtemp.records.audit import LevelFigures
from negtemp.records.codec import Part, part
from negtemp.records.lines import Record, record


@record
class Plateau(Record):
    """Where the entropy of one context's distribution rests below zero (`theory.thermodynamics.plateau_beta`).

    context        number of the context, as the audit reads them
    beta           where the heat capacity is least between two peaks; None where there is no plateau
    tokens         exp(S) there: so many tokens the model holds equally impossible
    heat_capacity  there; the nearer to 0, the flatter the plateau and the truer the count
    """

    kind: ClassVar[str] = "plateau"
    context: int
    beta: float | None
    tokens: float | None
    heat_capacity: float | None


@part
class PlateauCount(Part):
    """The count by the flattest plateau.

    tokens         exp(S) of the flattest
    low, high      least and greatest among the flattest quarter
    heat_capacity  of the flattest
    contexts       how many were looked at; `plateaus` of them have one
    """

    tokens: float
    low: float
    high: float
    heat_capacity: float
    contexts: int
    plateaus: int


@part
class ListCount(Part):
    """What the file itself names: tokens by category, and rows beyond the vocabulary.

    at_level    of the tokens listed, how many are members of the level; None without a level
    """

    tokens: int
    padding_rows: int
    by_category: Mapping[str, int]
    at_level: int | None


@record
class Census(Record):
    """How many tokens were never trained; None for a way that finds nothing.

    plateau       by the flattest plateau of the entropy below zero
    level         by the tokens whose logits coincide in all contexts
    listed        by names, types and bytes that no text holds
    by_category   members of the level by category; those of `normal` a text can hold
    agreement     in words, which of the counts agree
    """

    kind: ClassVar[str] = "census"
    vocabulary: int
    plateau: PlateauCount | None
    level: LevelFigures | None
    listed: ListCount
    by_category: Mapping[str, int]
    agreement: str
