"""The platform's refusals of a query, each with its code and text. What is marked `Assumed:` was not seen recorded.

Source: facts/salesforce/soql.md section 3.
"""

from __future__ import annotations

from orgbridge.emulator.schema.errors import SFError
from orgbridge.soql import pointed

_CUSTOM_COLUMN = (
    "If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. "
    "Please reference your WSDL or the describe call for the appropriate names."
)
_CUSTOM_ENTITY = (
    "If you are attempting to use a custom object, be sure to append the '__c' after the entity name. "
    "Please reference your WSDL or the describe call for the appropriate names."
)
_CUSTOM_RELATIONSHIP = (
    "If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship "
    "name. Please reference your WSDL or the describe call for the appropriate names."
)


class Refusals:
    """Builds errors that point into one query."""

    def __init__(self, soql: str) -> None:
        self._soql = soql

    def at(self, code: str, position: int, text: str) -> SFError:
        """Return an error with the window and caret of a place."""
        return SFError(code, pointed(self._soql, position, text))

    def malformed(self, position: int, text: str) -> SFError:
        """Return MALFORMED_QUERY at a place."""
        return self.at("MALFORMED_QUERY", position, text)

    def no_column(self, position: int, name: str, entity: str) -> SFError:
        """Refuse a field that the object does not have."""
        return self.at("INVALID_FIELD", position, f"No such column '{name}' on entity '{entity}'. {_CUSTOM_COLUMN}")

    def no_relationship(self, position: int, name: str) -> SFError:
        """Refuse a path over a relationship that the object does not have."""
        text = f"Didn't understand relationship '{name}' in field path. {_CUSTOM_RELATIONSHIP}"
        return self.at("INVALID_FIELD", position, text)

    def no_child_relationship(self, position: int, name: str) -> SFError:
        """Refuse a child subquery over a relationship that the object does not have."""
        text = f"Didn't understand relationship '{name}' in FROM part of query call. {_CUSTOM_RELATIONSHIP}"
        return self.at("INVALID_TYPE", position, text)

    def no_object(self, position: int, name: str) -> SFError:
        """Refuse an object that the org does not have."""
        return self.at("INVALID_TYPE", position, f"sObject type '{name}' is not supported. {_CUSTOM_ENTITY}")

    def not_filterable(self, position: int, name: str) -> SFError:
        """Refuse a field in WHERE."""
        return self.at("INVALID_FIELD", position, f"field '{name}' can not be filtered in a query call")

    def not_sortable(self, position: int, name: str) -> SFError:
        """Refuse a field in ORDER BY. Assumed: the text follows those for filtering and grouping."""
        return self.at("INVALID_FIELD", position, f"field '{name}' can not be sorted in a query call")

    def not_groupable(self, position: int, name: str) -> SFError:
        """Refuse a field in GROUP BY."""
        return self.at("INVALID_FIELD", position, f"field '{name}' can not be grouped in a query call")

    def wrong_type(self, position: int, name: str, wanted: str, *, quoted: bool) -> SFError:
        """Refuse a value of another type than the field's. Assumed: text from memory."""
        quotes = "should be enclosed in quotes" if quoted else "should not be enclosed in quotes"
        text = f"value of filter criterion for field '{name}' must be of type {wanted} and {quotes}"
        return self.at("INVALID_FIELD", position, text)

    def wrong_operator(self, position: int, kind: str) -> SFError:
        """Refuse an operator that the field's type does not know. Assumed: text from memory."""
        return self.at("INVALID_QUERY_FILTER_OPERATOR", position, f"invalid operator on {kind} field")

    def bad_id(self, position: int, text: str) -> SFError:
        """Refuse a text that is no record id where one is compared. Assumed: text from memory."""
        return self.at("INVALID_QUERY_FILTER_OPERATOR", position, f"invalid ID field: {text}")

    def not_evaluated(self, position: int, word: str) -> SFError:
        """Refuse a construct of the language that this org does not evaluate, as a parser without it would."""
        return self.malformed(position, f"unexpected token: '{word}'")
