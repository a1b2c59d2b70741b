"""The diagram of foreign keys: where its boxes are."""

from marketpulse.model import ForeignKey, Table, TableSchema
from marketpulse.report.diagram import Diagram, draw_foreign_keys


def draw(**targets: str) -> Diagram:
    """Draw tables, each with the names of those that it refers to."""
    schemas = [
        TableSchema(
            table=Table(name),
            columns=(),
            foreign_keys=tuple(ForeignKey(("A",), target, ("A",)) for target in names.split()),
        )
        for name, names in targets.items()
    ]
    diagram = draw_foreign_keys(schemas)
    assert diagram
    return diagram


def test_a_table_is_to_the_right_of_what_it_refers_to() -> None:
    """So is every line drawn from right to left."""
    diagram = draw(COLORS="DEALERS SECURITIES", SECURITIES="DEALERS", DEALERS="", ALONE="")

    assert [box.table for box in diagram.boxes] == ["DEALERS", "SECURITIES", "COLORS"]
    assert all(line.end.x + line.end.width < line.start.x for line in diagram.lines)


def test_a_table_that_is_not_described_is_drawn_too() -> None:
    """Its box says that the bundle does not have it."""
    diagram = draw(COLORS="DEALERS")

    assert {box.table: box.known for box in diagram.boxes} == {"COLORS": True, "DEALERS": False}


def test_circles_and_loops_end() -> None:
    """Tables may refer to each other and to themselves."""
    diagram = draw(A="B", B="C", C="A", D="D")

    assert {box.table for box in diagram.boxes} == {*"ABCD"}
    loop = next(line for line in diagram.lines if line.start.table == "D")
    assert " c " in loop.path


def test_a_long_chain_is_no_recursion() -> None:
    """Ten thousand tables in a row are deeper than Python's stack."""
    chain = {f"T{place}": f"T{place + 1}" for place in range(10_000)}

    assert len(draw(**chain).boxes) == 10_001


def test_boxes_do_not_overlap() -> None:
    """Each has its own place."""
    diagram = draw(**{f"CHILD{place}": "PARENT OTHER" for place in range(30)})

    places = [(box.x, box.y) for box in diagram.boxes]
    assert len({*places}) == len(places)
    assert draw_foreign_keys([]) is None
