"""simple-salesforce, as its users run it, as a process of its own: `python -m benchmarks.peers load|export URL FILE`.

Prints JSON: seconds of wall time, without start and sign-in, and the process's own memory above what it had then.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import psutil
from simple_salesforce import Salesforce
from tests.support.emulator_server import PASSWORD, SECURITY_TOKEN, USERNAME
from tests.support.rerouting import emulator_session

from benchmarks.houses import FIELDS


def main(action: str, url: str, file: str) -> dict[str, float]:
    """Load a file of accounts, or download all accounts into it, with the library's defaults."""
    sf = Salesforce(
        username=USERNAME,
        password=PASSWORD,
        security_token=SECURITY_TOKEN,
        session=emulator_session(url),
        version="59.0",
    )
    idle = psutil.Process().memory_info().rss
    began = time.monotonic()
    if action == "load":
        done = sf.bulk2.Account.insert(csv_file=file)
        rows = sum(job["numberRecordsProcessed"] - job["numberRecordsFailed"] for job in done)
    else:
        rows = 0
        with Path(file).open("w", encoding="utf-8") as out:
            for page in sf.bulk2.Account.query(f"SELECT {', '.join(FIELDS)} FROM Account"):
                out.write(page)
                rows += page.count("\n") - 1
    seconds = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": seconds, "rows": rows, "bytes_above_idle": max(0, peak - idle)}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
