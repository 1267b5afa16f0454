"""The documentation as one page that needs nothing else: no script, no font, no other server."""

from html import escape
from typing import Any

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h2 { margin-top: 2.5rem; border-top: 1px solid #ccc; padding-top: 1rem; } code { font-size: 0.95em; }
table { border-collapse: collapse; } td { padding: 0.15rem 1rem 0.15rem 0; vertical-align: top; }
pre { background: #f4f4f4; padding: 0.75rem; overflow-x: auto; } b { min-width: 4rem; display: inline-block; }
"""


def page_of(document: dict[str, Any]) -> str:
    """The OpenAPI document, for people."""
    info = document["info"]
    operations = "".join(
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(info["title"])}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(info['title'])} {escape(info['version'])}</h1>"
        f"<p>{escape(info['description'])} The contract itself: <a href='/openapi.json'>/openapi.json</a>.</p>"
        f"{operations}<h2>Bodies</h2>{_models(document)}</body></html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        _row(
            f"{each['name']} ({each['in']}{', required' if each.get('required') else ''})", each.get("description", "")
        )
        for each in operation.get("parameters", ())
    )
    responses = "".join(_row(status, each["description"]) for status, each in operation["responses"].items())
    body = " ".join(f"<code>{escape(kind)}</code>" for kind in operation.get("requestBody", {}).get("content", ()))
    return (
        f"<h2><b>{escape(method.upper())}</b> <code>{escape(path)}</code></h2>"
        f"<p>{escape(operation.get('summary', ''))}. {escape(operation.get('description', ''))}</p>"
        f"{f'<p>Body: {body}</p>' if body else ''}<table>{parameters}</table><table>{responses}</table>"
    )


def _models(document: dict[str, Any]) -> str:
    found = []
    for name, schema in sorted(document["components"]["schemas"].items()):
        fields = "".join(
            _row(field, rules.get("description", _kind(rules))) for field, rules in schema.get("properties", {}).items()
        )
        found.append(f"<h3>{escape(name)}</h3><p>{escape(schema.get('description', ''))}</p><table>{fields}</table>")
    return "".join(found)


def _kind(rules: dict[str, Any]) -> str:
    if "$ref" in rules:
        return str(rules["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in rules:
        return " or ".join(_kind(each) for each in rules["anyOf"])
    if "enum" in rules:
        return ", ".join(str(value) for value in rules["enum"])
    return str(rules.get("format") or rules.get("type") or rules.get("const") or "")


def _row(name: str, text: str) -> str:
    return f"<tr><td><code>{escape(name)}</code></td><td>{escape(text)}</td></tr>"
