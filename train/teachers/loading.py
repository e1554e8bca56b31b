"""From a teacher's settings to a network whose logits are those of the data's classes."""

from train.errors import UserError
from train.models.network import SegmentationNetwork
from train.teachers.class_map import ClassMapped, left_out, resolve_class_map
from train.teachers.contract import LoadedTeacher, TeacherSettings
from train.teachers.scales_and_flip import ScalesAndFlip

_PROPOSE = "say which is which in teacher.class_map; `python -m train.teachers CONFIG` proposes it"


def load_teacher(settings: TeacherSettings, classes: list[str], dataset: str) -> LoadedTeacher:
    """The teacher, with the classes of the data, seeing images as its settings say; its weights do not move.

    Args:
        settings: of any kind.
        classes: of the data, in the order of ids.
        dataset: what messages call it.

    Raises:
        UserError: it cannot be had, or its classes are others and no map says what they mean.
    """
    loaded = settings.load(classes)
    mapped = _mapped(loaded, settings, classes, dataset)
    network = mapped.network
    if settings.scales or settings.flip:
        network = ScalesAndFlip(network, settings.scales, settings.flip)
    return mapped._replace(network=network.eval().requires_grad_(False))


def check_count(network: SegmentationNetwork, classes: list[str], title: str) -> None:
    """`UserError` unless a network has as many classes as names."""
    if network.classes != len(classes):
        raise UserError(
            f"teacher: {title}: has {network.classes} classes, and {len(classes)} are named: name its own, by id, in "
            "teacher.classes"
        )


def _mapped(loaded: LoadedTeacher, settings: TeacherSettings, classes: list[str], dataset: str) -> LoadedTeacher:
    network, theirs = loaded.network, loaded.classes
    if not theirs and (settings.class_map or network.classes != len(classes)):
        raise UserError(
            f"teacher: {settings.title}: has {network.classes} classes, {dataset} has {len(classes)}, and it does not "
            "say what its own are: name them, in the order of ids, in teacher.classes"
        )
    check_count(network, theirs or classes, settings.title)
    if settings.class_map:
        class_map = resolve_class_map(settings.class_map, theirs, classes, settings.title)
        return LoadedTeacher(
            ClassMapped(network, class_map),
            classes,
            loaded.unknown | class_map.unknown,
            loaded.notes + left_out(class_map, theirs, classes),
        )
    _check_same(theirs or classes, settings.title, classes, dataset)
    return loaded._replace(classes=classes)


def _check_same(theirs: list[str], title: str, classes: list[str], dataset: str) -> None:
    """`UserError` unless a teacher has just these classes, in this order."""
    if len(theirs) != len(classes):
        raise UserError(f"teacher: {title}: has {len(theirs)} classes, {dataset} has {len(classes)}: {_PROPOSE}")
    differs = next((index for index in range(len(theirs)) if theirs[index] != classes[index]), None)
    if differs is not None:
        raise UserError(
            f"teacher: {title}: class {differs} is '{theirs[differs]}', in {dataset} it is '{classes[differs]}': "
            f"{_PROPOSE}"
        )
