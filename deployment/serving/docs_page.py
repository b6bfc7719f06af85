"""GET /docs: the API for a browser, out of local files alone.

The script is Swagger UI's own, as the package flask-swagger-ui carries it. Of that package only the files are read; it
is not imported, for it would bring Flask along.
"""

from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from mimetypes import guess_type
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response

from MLOps.errors import SettingsError

_PACKAGE = "flask_swagger_ui"
_TAKEN = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
_START = "start.js"
DOCS_ROUTES = frozenset({"/docs", *(f"/docs/{name}" for name in (*_TAKEN, _START))})
"""The page and its parts; what it asks for is named relative to it, so that a proxy may put a prefix before all."""
_HEADERS = {
    # Whatever a foreign text in the OpenAPI might smuggle in, nothing runs and nothing is asked but this server.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" type="image/png" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript; <a href="openapi.json">openapi.json</a> tells the same without.</noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_SCRIPT = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
});
"""


def add_docs_page(app: FastAPI) -> None:
    """Add the page and its parts to `app`, which stay out of its OpenAPI.

    Raises
    ------
    SettingsError
        If the package with the files is not installed.
    """
    folder = _folder()

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(_PAGE.format(title=app.title), headers=_HEADERS)

    @app.get(f"/docs/{_START}", include_in_schema=False)
    async def start() -> Response:
        return Response(_SCRIPT, media_type="text/javascript", headers=_HEADERS)

    for name in _TAKEN:
        app.add_api_route(f"/docs/{name}", _sends(folder / name), include_in_schema=False, response_model=None)


def _sends(path: Path) -> Callable[[], Awaitable[Response]]:
    content, kind = path.read_bytes(), guess_type(path.name)[0]

    async def send() -> Response:
        return Response(content, media_type=kind, headers=_HEADERS)

    return send


def _folder() -> Path:
    spec = find_spec(_PACKAGE)  # of a package that is no part of another, which imports nothing
    if spec is None or spec.origin is None:
        raise SettingsError(f"{_PACKAGE} is not installed", "requirements.lock as it stands", "make setup")
    return Path(spec.origin).parent / "dist"
