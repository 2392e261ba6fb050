"""What experiments yield and files hold: frozen records, one JSON line each, a file for each subject.

lines         what a record is, to a line and back
codec         the fields of a record, to JSON and back, by their types
audit         AuditToken, Audit (once, last); the differences of two audits, and scans
census        Plateau (one context), Census (once, last): how many tokens were never trained
generation    Header (once, first), Step (one token), Completion (one finished sequence), Failure
geometry      MatrixGeometry, TokenGeometry, Placement: around a centroid
local_model   LocalModel (one model that lies on this machine)
sweep         Forecast (what a sweep will take), Summary (what came out at one temperature), Merged (shards together)
thermo        Thermo (one distribution at one beta), Spectrum (what holds for all of them)
trial         Trial (one token that the model was asked to say), Repetition (once, last); Asked (many, by an audit)
verdict       ClaimVerdict (one claim of the article), PublishedToken (one that others have named)
"""

from negtemp.records.audit import Audit, AuditToken, Change, Difference, Occurrence, Scanned
from negtemp.records.census import Census, Plateau
from negtemp.records.codec import Json
from negtemp.records.generation import Completion, EngineBuild, Failure, Header, ModelFile, Step, Stop
from negtemp.records.geometry import MatrixGeometry, Placement, TokenGeometry
from negtemp.records.lines import SCHEMA, Record, from_line, record, to_line
from negtemp.records.local_model import LocalModel
from negtemp.records.sweep import Estimate, Forecast, Merged, Summary
from negtemp.records.thermo import Spectrum, Thermo
from negtemp.records.trial import Asked, Repetition, Trial, Verdict
from negtemp.records.values import JsonObject, JsonValue, finite, number
from negtemp.records.verdict import ClaimVerdict, PublishedToken

__all__ = [
    "SCHEMA",
    "Asked",
    "Audit",
    "AuditToken",
    "Census",
    "Change",
    "ClaimVerdict",
    "Completion",
    "Difference",
    "EngineBuild",
    "Estimate",
    "Failure",
    "Forecast",
    "Header",
    "Json",
    "JsonObject",
    "JsonValue",
    "LocalModel",
    "MatrixGeometry",
    "Merged",
    "ModelFile",
    "Occurrence",
    "Placement",
    "Plateau",
    "PublishedToken",
    "Record",
    "Repetition",
    "Scanned",
    "Spectrum",
    "Step",
    "Stop",
    "Summary",
    "Thermo",
    "TokenGeometry",
    "Trial",
    "Verdict",
    "finite",
    "from_line",
    "number",
    "record",
    "to_line",
]
