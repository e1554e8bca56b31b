from train.data.camvid import CLASSES
from train.teachers.matching import Match, propose


def test_names_of_other_datasets_find_their_classes() -> None:
    found = {match.theirs: (match.ours, match.how) for match in propose(NAMES, CLASSES)}
    assert found == {
        "Sky": ("sky", "same name"),
        "building;edifice": ("building", "same name"),
        "sidewalk": ("pavement", "same meaning"),
        "traffic-sign": ("sign", "same meaning"),
        "person, individual, someone": ("pedestrian", "same meaning"),
        "rider": ("bicyclist", "same meaning"),
        "cars": ("car", "same name"),
        "bus": ("car", "same kind"),
        "pavment": ("pavement", "similar spelling"),
        "chandelier": (None, "none"),
    }


NAMES = [
    "Sky", "building;edifice", "sidewalk", "traffic-sign", "person, individual, someone", "rider", "cars", "bus",
    "pavment", "chandelier",
]  # fmt: skip


def test_a_name_is_surer_than_a_meaning() -> None:
    assert propose(["tree"], ["vegetation", "tree"]) == [Match("tree", "tree", "same name")]
