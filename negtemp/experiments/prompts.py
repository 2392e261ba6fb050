"""Beginnings of plain English for experiments that need several: the article's own prompt and two dozen more.

Short, about different things, none of them a quotation. What follows each is left to the model; each is also a piece
of English that a model can be tested on (`coherence`).
"""

from negtemp.experiments.settings import PROMPT

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
