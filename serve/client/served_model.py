"""What the server says of a model."""

from pydantic import AliasPath, BaseModel, ConfigDict, Field, ValidationError

from serve.client.answer import Answer
from serve.client.problem import ServerProblem
from train.data.palette import Colour


class ServedModel(BaseModel):
    """A model of a server: its classes, and whether it is proven. Fields that a newer server adds are left out."""

    model_config = ConfigDict(frozen=True)

    name: str
    verified: bool = Field(description="whether the file that is served was compared with PyTorch, and passed")
    classes: list[str] = Field(validation_alias=AliasPath("manifest", "classes"), description="names, by id")
    palette: list[Colour] = Field(validation_alias=AliasPath("manifest", "palette"), description="RGB, by id")
    ignore_index: int = Field(
        validation_alias=AliasPath("manifest", "ignore_index"), description="id of pixels that belong to no class"
    )


def served_model(answer: Answer) -> ServedModel:
    """What ``/model`` answered.

    Raises:
        ServerProblem: it is something else.
    """
    try:
        return ServedModel.model_validate_json(answer.body)
    except ValidationError:
        raise ServerProblem(
            200, "about:blank", "/model does not describe a model: is this a server of segdistill?", answer.request_id
        ) from None
