"""OpenAPI 3.0 turned into OpenAPI 2.0, as far as ours goes."""

from __future__ import annotations

from typing import Any


def as_old(tree: Any) -> Any:
    """The same in the older form: parameters say their type themselves, bodies are parameters, references differ."""
    if isinstance(tree, list):
        return [as_old(one) for one in tree]
    if isinstance(tree, str):
        return tree.replace("#/components/schemas/", "#/definitions/")
    if not isinstance(tree, dict):
        return tree
    if "in" in tree and "schema" in tree:
        return {"name": tree["name"], "in": tree["in"], **tree["schema"], "required": tree.get("required", False)}
    found = {key: as_old(value) for key, value in tree.items() if key not in ("requestBody", "content")}
    if len(tree.get("allOf", ())) == 1:  # which stands beside a description here
        found |= found.pop("allOf")[0]
    if "content" in tree:  # a response
        found["schema"] = as_old(next(iter(tree["content"].values()))["schema"])
    if "requestBody" in tree:
        content = tree["requestBody"]["content"]
        body = {
            "name": "body",
            "in": "body",
            "required": True,
            "schema": as_old(next(iter(content.values()))["schema"]),
        }
        found["parameters"] = [*found.get("parameters", ()), body]
        found["consumes"] = list(content)
    if "responses" in tree:
        found["produces"] = ["application/json"]
    return found
