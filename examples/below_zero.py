# %% [markdown]
# # Below zero, in five cells
#
# Runs in seconds on the model that ships with negtemp, on a laptop, without a download. As a script:
# `python examples/below_zero.py`; as a notebook: open this file in VS Code or in Jupyter with jupytext, where each
# `# %%` is a cell. To use your own model, give its path: `negtemp.load("7b.gguf")`.

# %%
import json
import math
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import negtemp
from negtemp.records import Completion, Spectrum, Thermo
from negtemp.views import plots

model = negtemp.load()
PROMPT = "Temperature is a concept"

# %% [markdown]
# ## 1. The same prompt just above and just below zero
#
# A softmax is a Boltzmann distribution, p = exp(z/T)/Z. With T = +0.001 the most likely token is all but certain; with
# T = -0.001 the least likely one is. Look at the mean rank: 0 is the model's first choice, and the other text is made
# of last choices.

# %%
for record in model.compare(PROMPT, temperatures=[0.001, -0.001], n_predict=12):
    if isinstance(record, Completion):
        print(f"T = {record.temperature.temperature:+g}, mean rank {record.mean_rank:,.0f}: {record.text}")

# %% [markdown]
# ## 2. One forward pass, every temperature
#
# The logits after the prompt are all there is to know about the next token, at any T. On the axis of beta = 1/T nothing
# special happens at infinite temperature: beta goes through 0, where every token is equally likely and S = ln V. The
# most likely token dominates at every beta > 0 and the least likely one at every beta < 0, but barely at first. Look at
# how much farther one must go below zero before S has fallen by half.

# %%
records = list(model.spectrum(PROMPT))
states = [record for record in records if isinstance(record, Thermo)]
summary = next(record for record in records if isinstance(record, Spectrum))

for state in states:
    if state.beta in (-math.inf, -100, -10, -1, -0.1, 0, 0.1, 1, 10, 100, math.inf):
        bar = "#" * round(40 * state.entropy / summary.max_entropy)
        print(f"beta {state.beta:6g}   S {state.entropy:5.2f}   C {state.heat_capacity:5.2f}   {bar}")
print(f"S = ln(V)/2 at beta = {summary.half_entropy.positive:.3g} and {summary.half_entropy.negative:.3g}")

# %% [markdown]
# ## 3. The dominant tokens of each side
#
# `piece` is a view that is safe to print, `raw` the bytes. Below zero expect halves of characters, words of other
# languages, control tokens: what the model was hardly ever shown.

# %%
for name, tokens in (("above zero", summary.rulers.positive), ("below zero", summary.rulers.negative)):
    print(name, *(f"{token.piece} ({token.logit:.2f})" for token in tokens), sep="   ")

# %% [markdown]
# ## 4. The plateau below zero, and what lies on it
#
# Between its two falls below zero S rests: the heat capacity has a dip. There the distribution is all but uniform over
# a cluster of tokens that the model holds equally impossible, and exp(S) counts them. For the model that ships, the
# truth is known: how many tokens never occurred in its training text.

# %%
shelf = summary.shelf.negative
if shelf:
    print(
        f"below zero S rests at beta = {shelf.beta:.3g}, where C is {shelf.heat_capacity:.3f}: "
        f"exp(S) = {shelf.tokens:,.0f} tokens"
    )
truth = json.loads(files("negtemp.data").joinpath("tiny.counts.json").read_text())["counts"]
print(f"tokens that the bundled model never saw in training: {sum(count == 0 for count in truth):,} of {len(truth):,}")

# %% [markdown]
# ## 5. Along a continuation, and as a picture
#
# Each token drawn gives new logits and new dominant tokens. How often do they change on each side?

# %%
walk = [record for record in model.spectrum(PROMPT, betas=[0.0], along=10) if isinstance(record, Spectrum)]
for name, sign in (("above zero", 1), ("below zero", -1)):
    rulers = [place.rulers.of(sign)[0].token_id for place in walk]
    changes = sum(a != b for a, b in pairwise(rulers))
    print(f"{name}: top changed {changes} times in {len(walk) - 1} steps, {len(set(rulers))} different")

if plots.available():
    Path("below_zero.png").write_bytes(plots.spectrum([(states, summary)], ".png"))
    print("the picture is in below_zero.png")
model.close()
