"""What is written is what protocol buffers read."""

from google.protobuf import struct_pb2
from google.protobuf import text_format as google

from export.text_format import Symbol, text_format


def test_every_kind_of_field_comes_back() -> None:
    fields = [
        {"key": "text", "value": {"string_value": 'a "quoted" \\ line\nand the next, ü'}},
        {"key": "number", "value": {"number_value": -3}},
        {"key": "yes", "value": {"bool_value": True}},
        {"key": "nothing", "value": {"null_value": Symbol("NULL_VALUE")}},
        {"key": "list", "value": {"list_value": {"values": [{"number_value": 1}, {"number_value": 2}]}}},
    ]
    read = google.Parse(text_format({"fields": fields}), struct_pb2.Struct())
    assert dict(read) == {
        "text": 'a "quoted" \\ line\nand the next, ü',
        "number": -3,
        "yes": True,
        "nothing": None,
        "list": [1, 2],
    }


def test_numbers_of_a_list_stand_in_one_line() -> None:
    assert text_format({"dims": [1, -1, 3], "kind": Symbol("KIND_CPU")}) == "dims: [1, -1, 3]\nkind: KIND_CPU\n"
