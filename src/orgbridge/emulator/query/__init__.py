"""SOQL on the org's rows: checked against the catalogue, planned to one SQL statement, shaped as REST and Bulk show it.

Nothing is evaluated row by row in Python, and nothing is left out in silence: what is not evaluated is refused.
"""
