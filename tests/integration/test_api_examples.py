"""Examples in the OpenAPI document: of whatever is not a closed choice, and all of them as their schemas say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

from tests.integration.test_api_contract import LoneService, service

__all__ = ["service"]


class _Document:
    """The document, its references followed."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._schemas = document["components"]["schemas"]

    def operations(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for path, operations in self._document["paths"].items():
            for method, operation in operations.items():
                yield f"{method} {path}", operation

    def variants(self, schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield a schema, and what it refers to or offers."""
        if "$ref" in schema:
            schema = self._schemas[schema["$ref"].rpartition("/")[2]]
        yield schema
        for offered in (*schema.get("anyOf", ()), schema.get("items", {})):
            if offered:
                yield from self.variants(offered)

    def needs_none(self, schema: dict[str, Any]) -> bool:
        """Whether what may be given is told by the schema itself: a choice, a flag, or what is given otherwise."""
        if schema.get("default") is not None and schema.get("type") != "string":
            return True
        return any("enum" in one or one.get("type") == "boolean" for one in self.variants(schema))

    def has_example(self, schema: dict[str, Any]) -> bool:
        """Whether a schema, or each property of an object, has an example or needs none."""
        if any("examples" in one or "example" in one for one in self.variants(schema)):
            return True
        properties = [one for variant in self.variants(schema) for one in variant.get("properties", {}).values()]
        return bool(properties) and all(self.has_example(one) or self.needs_none(one) for one in properties)

    def validator(self, schema: dict[str, Any]) -> Draft202012Validator:
        """Return what judges values of a schema."""
        return Draft202012Validator({**schema, "components": self._document["components"]})


async def test_whatever_is_asked_for_has_an_example(service: LoneService) -> None:
    """Every parameter and every body that is text has one, unless the schema itself says all that may be given."""
    document = _Document((await service.client.get("/openapi.json")).json())
    bare = []
    for operation, content in document.operations():
        for parameter in content.get("parameters", ()):
            schema = parameter["schema"]
            if not (document.has_example(schema) or document.needs_none(schema)):
                bare.append(f"{operation}: {parameter['name']}")
        for media, body in content.get("requestBody", {}).get("content", {}).items():
            binary = media in ("application/pdf", "multipart/form-data")
            if not (binary or "example" in body or document.has_example(body["schema"])):
                bare.append(f"{operation}: {media}")
    assert not bare


async def test_examples_are_what_they_stand_for(service: LoneService) -> None:
    """No example of a parameter is refused by the schema beside it."""
    document = _Document((await service.client.get("/openapi.json")).json())
    seen = 0
    for operation, content in document.operations():
        for parameter in content.get("parameters", ()):
            for example in parameter["schema"].get("examples", ()):
                errors = list(document.validator(parameter["schema"]).iter_errors(example))
                assert not errors, (operation, parameter["name"], example)
                seen += 1
    assert seen > 100
