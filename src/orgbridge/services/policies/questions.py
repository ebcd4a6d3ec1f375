"""What is asked, by whom and what for: the objects that the caller may know, and the words of refusals."""

from __future__ import annotations

from collections.abc import Callable

from orgbridge.services.policies.errors import OperationRefused, QueryRefused, UnknownName
from orgbridge.services.policies.facts import ObjectFacts
from orgbridge.services.policies.model import Operation
from orgbridge.services.policies.policy import Policy, View
from orgbridge.soql import tree

_CUSTOM = (
    "If you are attempting to use a custom {0}, be sure to append the '__{1}' after the custom {2} name. "
    "Please reference your WSDL or the describe call for the appropriate names."
)


#: Gives the facts of an object by its name, None when there is no such object.
Lookup = Callable[[str], ObjectFacts | None]


class FactsMissing(Exception):
    """The describe of an object is needed to go on: get it, and begin again."""

    def __init__(self, sobject: str) -> None:
        self.sobject = sobject
        super().__init__(sobject)


class Question:
    """A query or search, by whom and what for: which objects it may know, and the words that refuse the others."""

    def __init__(self, soql: str, policy: Policy, lookup: Lookup, operations: frozenset[Operation]) -> None:
        self.soql = soql
        self.policy = policy
        self.operations = operations
        self.lookup = lookup

    def root(self, query: tree.Query) -> ObjectFacts:
        """Return the facts of the object that a query, which hangs on no other one, reads.

        Raises:
            PolicyError: As `object`.
        """
        source = query.sources[0]
        if len(source.path) != 1:
            raise self.no_object(".".join(source.path), source.position)
        return self.object(source.path[0], source.position)

    def object(self, name: str, position: int) -> ObjectFacts:
        """Return the facts of an object that the caller may know.

        Raises:
            UnknownName: There is none, or every role denies it.
            OperationRefused: The object may be known, but not read in this way.
        """
        grants = self.policy.grants(name)
        facts = self.lookup(name) if grants else None
        if facts is None:
            raise self.no_object(name, position)
        if not self.policy.allows(facts.name, *self.operations):
            words = " and ".join(sorted(operation.value for operation in self.operations))
            raise OperationRefused(
                f"No role of yours allows {words} on {facts.name}. Ask for it to be added to the role's policy."
            )
        return facts

    def view(self, facts: ObjectFacts) -> View:
        """Return what the caller sees of an object."""
        return self.policy.view(facts, self.operations)

    def refused(self, text: str, position: int) -> QueryRefused:
        """Return a refusal that points at a place."""
        return QueryRefused(text, soql=self.soql, position=position)

    def no_object(self, name: str, position: int) -> UnknownName:
        """Return what is said of an object that is not there."""
        text = f"sObject type '{name}' is not supported. {_CUSTOM.format('object', 'c', 'entity')}"
        return UnknownName(text, soql=self.soql, position=position)

    def no_field(self, name: str, entity: str, position: int) -> UnknownName:
        """Return what is said of a field that is not there."""
        text = f"No such column '{name}' on entity '{entity}'. {_CUSTOM.format('field', 'c', 'field')}"
        return UnknownName(text, soql=self.soql, position=position, field=name)

    def no_relationship(self, name: str, position: int, place: str = "field path") -> UnknownName:
        """Return what is said of a relationship that is not there."""
        custom = _CUSTOM.format("relationship", "r", "relationship")
        text = f"Didn't understand relationship '{name}' in {place}. {custom}"
        return UnknownName(text, soql=self.soql, position=position, field=name)
