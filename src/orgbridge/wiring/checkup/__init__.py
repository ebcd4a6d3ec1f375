"""What `orgbridge doctor` looks at, from the settings outwards: each finding says what was seen and how to mend it."""

from orgbridge.wiring.checkup.examination import examine, look_through
from orgbridge.wiring.checkup.findings import Finding, Verdict

__all__ = ["Finding", "Verdict", "examine", "look_through"]
