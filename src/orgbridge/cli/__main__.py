"""`python -m orgbridge.cli`, for where the `orgbridge` script is not on the path."""

from __future__ import annotations

from orgbridge.cli.main import main

if __name__ == "__main__":
    main()
