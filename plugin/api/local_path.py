"""The path of a request below the root at which the service is mounted."""

from starlette.types import Scope


def local_path(scope: Scope) -> str:
    """Return the path of a request as the routes know it, without the `root_path` of ASGI."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path.removeprefix(root) if root else path
