"""Under-trained-token indicators measured on models for which the truth is known, because they are trained here."""

import sys
from pathlib import Path

# the trainer of the bundled model lives beside its script, in no installed package; its parts are used again here
SCRIPTS = Path(__file__).parents[2] / "scripts"
if str(SCRIPTS) not in sys.path:
    sys.path.append(str(SCRIPTS))
