"""The paths of one query or subquery, resolved by describe: what each reads of which object."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from orgbridge.services.policies.errors import QueryRefused
from orgbridge.services.policies.facts import FieldFacts, ObjectFacts
from orgbridge.services.policies.policy import GrantView, View
from orgbridge.services.policies.questions import Question
from orgbridge.soql import tree

#: The field of a polymorphic relationship that tells which object it points to.
_TYPE = "type"


@dataclass(slots=True, kw_only=True)
class Use:
    """What a query reads of one object at one place: itself, or a parent reached over a path."""

    view: View
    path: tuple[str, ...]
    position: int
    displayed: set[str] = field(default_factory=set)
    compared: set[str] = field(default_factory=set)


class Paths:
    """What the paths of one query or subquery reach; remembers what it reads of each object on the way."""

    def __init__(self, question: Question, facts: ObjectFacts, position: int) -> None:
        self._question = question
        self._facts = facts
        self._uses: dict[tuple[str, ...], Use] = {(): Use(view=question.view(facts), path=(), position=position)}
        self._prefixes: dict[str, tuple[str, ...]] = {}

    @property
    def root(self) -> Use:
        """What the query reads of its own object."""
        return self._uses[()]

    def uses(self) -> Iterable[Use]:
        """Return what was read so far, the object itself first."""
        return self._uses.values()

    def parent(self, use: Use) -> Use:
        """Return the use that the path of another one hangs on."""
        return self._uses[tuple(part.lower() for part in use.path[:-1])]

    def is_root(self, name: str) -> bool:
        """Tell whether a name in front of a path is the query's object, by its own name or by an alias."""
        return name.lower() == self._facts.name.lower() or self._prefixes.get(name.lower()) == ()

    def name_sources(self, sources: Sequence[tree.FromItem]) -> None:
        """Take in what stands after FROM: the object's alias, and paths with theirs.

        Raises:
            PolicyError: A path leads nowhere, or an alias can be read in two ways.
        """
        first, *others = sources
        if first.alias:
            self._name(first.alias, (), first.position)
        for source in others:
            prefix = self._prefixes.get(source.path[0].lower())
            if prefix is None or len(source.path) < 2:
                raise self._question.no_relationship(source.path[0], source.position, "FROM part of query call")
            path = prefix + source.path[1:]
            self._reach(path, source.position)
            if source.alias:
                self._name(source.alias, path, source.position)

    def _name(self, alias: str, path: tuple[str, ...], position: int) -> None:
        known = alias.lower()
        if known in self._prefixes or known in self._facts.relationships:
            raise self._question.refused(f"The alias {alias} can be read in two ways: choose another.", position)
        self._prefixes[known] = path

    def stripped(self, path: tree.FieldPath) -> tuple[str, ...]:
        """Return a path from the root, an alias or the object's own name in front of it taken off.

        Raises:
            QueryRefused: What stands in front can be read in two ways.
        """
        parts, first = path.parts, path.parts[0].lower()
        if len(parts) == 1:
            return parts
        if first in self._prefixes:
            return self._prefixes[first] + parts[1:]
        if first == self._facts.name.lower():
            if first in self._facts.relationships:
                raise self._question.refused(f"{path.parts[0]} can be read in two ways: use an alias.", path.position)
            return parts[1:]
        return parts

    def resolve(self, path: tree.FieldPath, *, displayed: bool) -> tree.FieldPath:
        """Return a path in the schema's spelling, from the root; note what it reads.

        Args:
            path: As it was written.
            displayed: The value is shown as it is, so that a mask can hide it.

        Raises:
            PolicyError: The field is not there for the caller, or not for this purpose.
        """
        parts = self.stripped(path)
        name = parts[-1].lower()
        if len(parts) > 1:
            reference, prefix = self.reference(parts[:-1], path.position)
            if reference.is_polymorphic:
                self.polymorphic(reference, path)
                return replace(path, parts=(*prefix, str(reference.relationship), parts[-1]))
        use = self._reach(parts[:-1], path.position)
        facts = use.view.facts
        if name not in use.view.shown:
            raise self._question.no_field(parts[-1], facts.name, path.position)
        if displayed:
            use.displayed.add(name)
        else:
            self.compare(use.path, name, path.position)
        return replace(path, parts=(*use.path, facts.fields[name].name))

    def compare(self, path: tuple[str, ...], name: str, position: int) -> None:
        """Note that a field chooses, orders or groups rows.

        Raises:
            QueryRefused: It is shown masked.
        """
        use = self._uses[tuple(part.lower() for part in path)]
        if name in use.view.masks:
            shown = use.view.facts.fields[name].name
            raise self._question.refused(
                f"{shown} is shown masked to you: it may be selected as it is, and not be filtered, sorted, grouped, "
                "aggregated or put into a function, which would tell its values.",
                position,
            )
        use.compared.add(name)

    def reference(self, parts: tuple[str, ...], position: int) -> tuple[FieldFacts, tuple[str, ...]]:
        """Return the reference field that a relationship path ends with, and the path before it.

        Raises:
            PolicyError: A part of the path is not there for the caller.
        """
        use = self._reach(parts[:-1], position)
        reference = use.view.facts.relationships.get(parts[-1].lower())
        if reference is None or reference.name.lower() not in use.view.shown:
            raise self._question.no_relationship(parts[-1], position)
        self.compare(use.path, reference.name.lower(), position)
        return reference, use.path

    def _reach(self, parts: tuple[str, ...], position: int) -> Use:
        """Return the use of the object that a path of relationships leads to."""
        key = tuple(part.lower() for part in parts)
        use = self._uses.get(key)
        if use is not None:
            return use
        reference, prefix = self.reference(parts, position)
        if reference.is_polymorphic or not reference.targets:
            raise self._question.refused(
                f"{reference.relationship} may point to several objects, and a path beyond it cannot be checked: "
                "use TYPEOF.",
                position,
            )
        target = reference.targets[0]
        if not self._question.policy.grants(target):
            raise self._question.no_relationship(parts[-1], position)
        facts = self._question.object(target, position)
        path = (*prefix, str(reference.relationship))
        use = Use(view=self._question.view(facts), path=path, position=position)
        self._uses[key] = use
        return use

    def on_target(self, facts: ObjectFacts, path: tree.FieldPath) -> tree.FieldPath:
        """Check a field of one branch of TYPEOF, where no condition on rows can be added.

        Raises:
            PolicyError: The field is not there for the caller, or not of all rows.
        """
        view, name = self._question.view(facts), path.parts[-1].lower()
        if len(path.parts) != 1:
            raise self._question.refused("Paths inside TYPEOF cannot be checked: name a field.", path.position)
        if name not in view.shown:
            raise self._question.no_field(path.parts[-1], facts.name, path.position)
        self._need_all_rows(view, view.choose([name], []), path)
        return replace(path, parts=(facts.fields[name].name,))

    def _need_all_rows(self, view: View, grants: tuple[GrantView, ...], path: tree.FieldPath) -> None:
        if not any(one.grant.where is None for one in grants):
            raise self._question.refused(
                f"Only some rows of {view.facts.name} may be seen, and which they are cannot be asked at this place: "
                f"leave {path.text} out, or query {view.facts.name} itself.",
                path.position,
            )

    def polymorphic(self, reference: FieldFacts, path: tree.FieldPath) -> tree.FieldPath:
        """Check a field of whatever a reference points to: every object that can be must show it in all rows.

        Raises:
            PolicyError: One does not, or none has the field.
        """
        name = path.parts[-1].lower()
        if name == _TYPE:
            return path
        is_known = False
        for target in reference.targets:
            facts = self._question.lookup(target)
            if facts is None:
                # The integration user does not see the object either.
                continue
            named = facts.name_field if name == "name" else facts.fields.get(name)
            if named is None:
                continue
            if not self._question.policy.allows(target, *self._question.operations):
                raise self._hidden_somewhere(reference, path)
            view = self._question.view(facts)
            grants = view.choose([], [named.name.lower()])
            if not any(one.grant.where is None for one in grants):
                raise self._hidden_somewhere(reference, path)
            is_known = True
        if not is_known:
            raise self._question.no_field(path.parts[-1], "Name", path.position)
        return path

    def _hidden_somewhere(self, reference: FieldFacts, path: tree.FieldPath) -> QueryRefused:
        return self._question.refused(
            f"{reference.relationship} may point to several objects, and your roles do not show {path.parts[-1]} of "
            "all records of all of them: leave it out, or name objects by TYPEOF.",
            path.position,
        )
