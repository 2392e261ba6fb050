"""A record of every kind with values that break naive codecs; `golden/records.jsonl` holds their lines of schema 1.

The lines were written by negtemp 0.1.0, the last ones by 0.2, and never change: what is added to a record later stands
in lines of its own.
"""

import math
from pathlib import Path

from negtemp.records import (
    Asked,
    Audit,
    AuditToken,
    Census,
    Change,
    ClaimVerdict,
    Completion,
    Difference,
    EngineBuild,
    Estimate,
    Failure,
    Forecast,
    Header,
    LocalModel,
    MatrixGeometry,
    Merged,
    ModelFile,
    Occurrence,
    Placement,
    Plateau,
    PublishedToken,
    Record,
    Repetition,
    Scanned,
    Spectrum,
    Step,
    Summary,
    Thermo,
    TokenGeometry,
    Trial,
)
from negtemp.records.audit import AgainstCounts, CategoryCounts, Controls, LevelFigures, Reference
from negtemp.records.census import ListCount, PlateauCount
from negtemp.records.geometry import CategoryGeometry
from negtemp.records.thermo import BySign, Density, PlacedToken, Shelf
from negtemp.theory.temperature import ANTIGREEDY, GREEDY, UNIFORM, Temperature

LINES = Path(__file__).parent / "golden" / "records.jsonl"
HOSTILE = 'a\\b "q"\t\x00\x1b[31m\u202e\u200b\u2028\x85é😀\udcff\n'
RAW = b"\xff\x1b[31m\xe2\x80\xae </script>\\"
TOKEN = AuditToken(
    token_id=7, raw=RAW, category="byte-invalid", rank=0, score=0.93,
    indicators={"mean_logit": 5.4, "input_norm": -0.0, "none": math.nan}, candidate=True, probability=1e-9,
    verdict="strong", probabilities={"run": 1e-9, "none": math.nan}, superstrings=(8, 9),
)  # fmt: skip
BARE_TOKEN = AuditToken(token_id=1, raw=b"", category="normal", rank=3, score=math.nan, indicators={})
DENSITY = Density(lowest=-9.0, highest=12.0, mean=0.5, deviation=1.25, edges=(-9.0, 1.5, 12.0), counts=(600, 100))
LEVEL = LevelFigures(
    tokens=7, by_group=(7, 8), probability=1e-8, radius=0.0625, usual=9.5, threshold=math.inf, false_share=0.0005,
    runaway=0.0,
)  # fmt: skip
POINT = Density(lowest=0.0, highest=0.0, mean=0.0, deviation=0.0, edges=(0.0, 0.0), counts=(1,))
PLACED = PlacedToken(token_id=3, raw=RAW, category="normal", logit=-1.5, logprob=-20.25)

RECORDS: tuple[Record, ...] = (
    Header(
        negtemp="0.1.0", command="run",
        model=ModelFile(
            name=HOSTILE, description="llama 1M Q4_0", vocabulary=778, file="models/é.gguf", fingerprint="00ff",
        ),
        engine=EngineBuild(llama_cpp_python="0.3.36", patches=("0001-a.patch",), patched=True),
        settings={"mask": ["control"], "betas": ["-inf", -0.0, 0.5], "ctx_size": None, "nested": {"é": False}},
    ),
    Step(
        sequence=0, position=3, token_id=1723, raw="ština".encode(), logprob=-14.2, rank=2047, entropy=2.31, gap=0.12,
        sampled_logprob=-0.0,
    ),
    Step(
        sequence=1, position=0, token_id=0, raw=RAW, logprob=-math.inf, rank=0, entropy=0.0, gap=1e-300,
        sampled_logprob=-math.inf, centroid_percentile=99.9,
    ),
    Completion(
        sequence=0, prompt=HOSTILE, prompt_token_ids=(), temperature=ANTIGREEDY, seed=1, token_ids=(), text="",
        stop="length", tokens_per_second=None, mean_logprob=None, mean_rank=None, distinct=None,
    ),
    Completion(
        sequence=2, prompt="p", prompt_token_ids=(1, 5), temperature=Temperature.of(-0.001), seed=7, token_ids=(9, 9),
        text="\u202e x\n", stop="eog", tokens_per_second=12.5, mean_logprob=-math.inf, mean_rank=2.0, distinct=0.5,
        mean_entropy=1.5, longest_repeat=1, non_ascii=0.5, categories={"normal": 1.0}, unit="00ff00ff00ff00ff",
        run_seed=1, repeat=0, median_centroid_percentile=97.25,
    ),
    Completion(
        sequence=0, prompt="", prompt_token_ids=(1,), temperature=UNIFORM, seed=0, token_ids=(2,), text="x",
        stop="context", tokens_per_second=None, mean_logprob=-1.0, mean_rank=0.0, distinct=1.0,
    ),
    Failure(sequence=4, prompt=HOSTILE, temperature=GREEDY, seed=3, reason="too long"),
    Failure(
        sequence=4, prompt="", temperature=Temperature.of_beta(-2.0), seed=3, reason="é", unit="0" * 16, run_seed=5,
        repeat=1,
    ),
    MatrixGeometry(
        matrix="embedding", tied=True, type="Q4_0", rows=778, dim=128, padding_rows=0, centroid_norm=0.25,
        norm_mean=math.nan, distance_mean=None, distance_deviation=math.inf, quantiles={"0.01": 0.5, "0.99": math.nan},
        categories={
            "normal": CategoryGeometry(tokens=700, median_percentile=50.0),
            "control": CategoryGeometry(tokens=3, median_percentile=None),
        },
    ),
    TokenGeometry(
        matrix="unembedding", token_id=9, raw=RAW, category="user-defined", norm=1.0, distance=math.nan, cosine=-0.0,
        percentile=None, ordinary_percentile=100.0,
    ),
    Placement(
        matrix="embedding", source="T=-0.001 (β=-1000)", among="ordinary", token_ids=(1, 2), median_percentile=None,
        auc=math.nan, p=0.5,
    ),
    Forecast(units=21, finished=1, sequences=8, tokens=800, memory=2**31, seconds=1.5),
    Summary(
        temperature=Temperature.of_beta(-math.inf), units=2, errors=0,
        figures={"mean_logprob": Estimate(-1.0, -2.0, 0.0), "mean_rank": Estimate(None, None, None)},
        categories={"normal": Estimate(1.0, 1.0, 1.0)}, stops={},
    ),
    Thermo(
        sequence=0, position=0, beta=-math.inf, log_z=math.inf, entropy=0.0, energy=-1.5, heat_capacity=0.0,
        token_id=3, probability=1.0,
    ),
    Thermo(
        sequence=0, position=1, beta=-0.0, log_z=6.5, entropy=6.5, energy=0.5, heat_capacity=0.0, token_id=None,
        probability=0.00125,
    ),
    Spectrum(
        sequence=0, position=0, prompt=HOSTILE, following=PLACED, tokens=700, masked=78, max_entropy=6.55,
        entropy=2.5, density=DENSITY, half_entropy=BySign(positive=1.5, negative=None),
        half_share=BySign(positive=None, negative=-0.25),
        shelf=BySign(positive=None, negative=Shelf(beta=-1.5, tokens=12.0, heat_capacity=0.001)),
        ties=BySign(positive=1, negative=2), rulers=BySign(positive=(PLACED,), negative=()),
    ),
    Spectrum(
        sequence=1, position=2, prompt="", following=None, tokens=1, masked=0, max_entropy=0.0, entropy=0.0,
        density=POINT, half_entropy=BySign(positive=None, negative=None),
        half_share=BySign(positive=None, negative=None), shelf=BySign(positive=None, negative=None),
        ties=BySign(positive=1, negative=1), rulers=BySign(positive=(PLACED,), negative=(PLACED,)),
    ),
    Trial(
        token_id=7, raw=RAW, category="normal", role="candidate", probability=0.0005, probabilities={"echo": 0.0005},
        shape="echo", rank=12, said=(1, 2), said_raw=b" \xff", sampled=None,
    ),
    Trial(
        token_id=8, raw=b"x", category="normal", role="control", probability=0.95, probabilities={}, shape="", rank=0,
        said=(), said_raw=b"", sampled=0.25, control_for=7, matched_on=("category", "length"),
    ),
    Repetition(
        candidates=2, controls=0, candidates_said=0.5, controls_said=math.nan, difference=math.nan,
        interval=(math.nan, math.nan), nats=-1.5, nats_interval=(-2.0, math.inf), pairs=0, outcome="cannot tell",
    ),
    ClaimVerdict(
        claim="near-input-centroid", verdict="fails", measure="AUC", effect=math.nan, interval=(math.nan, 1.0), n=5,
        controls={"random": math.nan}, figures={"p": 0.5}, note="é",
    ),
    ClaimVerdict(
        claim="prompt-independent", verdict="cannot tell", measure="", effect=0.5, interval=(0.25, 0.75), n=0,
    ),
    PublishedToken(token_id=7, raw=RAW, source="Land & Bartolo", percentile=None, emitted=0),
    TOKEN,
    BARE_TOKEN,
    Audit(
        problem=None, combined=("mean_logit", "input_norm"), reference=Reference(source="bytes", tokens=13),
        structure=0.99, threshold=None,
        controls=Controls(tokens=64, said=True, median=0.5, rejected=60, strong=1),
        categories={
            "normal": CategoryCounts(
                tokens=5, candidates=4, verified=3, strong=2, weak=1, rejected=0, below_0_01=2,
            ),
        },
        truth=AgainstCounts(
            never=3, rare=2, candidates=4, precision=0.75, recall=1.0, precision_with_rare=None, recall_with_rare=0.5,
            recall_at_95_precision=0.25, auc_never=0.99, auc_rare=None,
        ),
    ),
    Audit(
        problem="nothing can be said: é", combined=(), reference=Reference(source="", tokens=0), structure=math.nan,
        threshold=0.5, controls=Controls(), categories={},
    ),
    Change(change="appeared", before=BARE_TOKEN, after=TOKEN),
    Difference(
        names=("a.gguf", HOSTILE), tokens=778, correlation=math.nan,
        by_indicator={"mean_logit": 0.5, "none": math.nan, "nothing": None}, appeared=1, healed=0, both=12,
    ),
    Occurrence(
        file=HOSTILE, token_id=7, raw=RAW, verdict=None, probability=math.nan, strings=3, tokens=None, lines=(1, 2),
    ),
    Occurrence(
        file="a", token_id=7, raw=b"x", verdict="weak", probability=0.05, strings=3, tokens=2, lines=(),
    ),
    Scanned(file="a.txt", size=12, texts=2, strings=3, tokens=None),
    # of 0.2: a census, and an audit by the level
    Audit(
        problem=None, combined=("level",), reference=Reference(source="bytes", tokens=13), structure=1.0,
        threshold=0.5, controls=Controls(), categories={}, level=LEVEL,
    ),
    Plateau(context=224, beta=-1.5, tokens=929.0, heat_capacity=0.125),
    Plateau(context=225, beta=None, tokens=None, heat_capacity=None),
    Census(
        vocabulary=2048, level=LEVEL, by_category={"normal": 7}, agreement="plateau and level agree within 1 %",
        plateau=PlateauCount(tokens=929.0, low=928.5, high=930.0, heat_capacity=0.125, contexts=32, plateaus=29),
        listed=ListCount(tokens=13, padding_rows=2, by_category={"byte-invalid": 13}, at_level=None),
    ),
    Census(
        vocabulary=9, plateau=None, level=None, by_category={}, agreement="",
        listed=ListCount(tokens=0, padding_rows=0, by_category={}, at_level=0),
    ),
    # models by name
    LocalModel(reference="hf:org/x:Q4_0", source="hub", size=64, file="a.gguf", revision="a" * 40, problem=HOSTILE),
    LocalModel(reference="ollama:x:latest", source="ollama", size=0, file="a"),
    Header(
        negtemp="0.2.0", command="run",
        model=ModelFile(
            name="n", description="", vocabulary=1, file="f", fingerprint="0", fingerprint_kind="sha256",
            reference="hf:org/x", revision="a" * 40,
        ),
        engine=EngineBuild(llama_cpp_python="0.3.36", patches=(), patched=True), settings={},
    ),
    Merged(
        runs=("runs/big/shard-1-of-2", "é"), units=9, finished=5, added=4, failed=1, missing={"2/2": 4},
        machines=("a", "b"), platforms=("Linux",),
    ),
    Asked(
        sequence=3, token_ids=(7, 9), probabilities={"echo": (1e-300, 0.5), "run": (0.0, None)},
        ranks={"echo": (2047, 0), "run": (5, None)}, unit="00ab34cd56ef7890",
    ),
)  # fmt: skip
