"""The model that a client asks for, by name."""

from fastapi import HTTPException

from serve.models import Models


def chosen_model(name: str | None, models: Models) -> str:
    """The name of one that is served, the first where none is given; `HTTPException` 404 if there is no such."""
    if name is None:
        return models.default
    if name not in models.current:
        raise HTTPException(404, f"no model '{name[:100]}': there is {', '.join(models)}")
    return name
