"""Errors: what they say to the user."""

from marketpulse.errors import UserNote, user_notes


def test_notes_of_python_are_not_for_the_user() -> None:
    """Since Python 3.12 an interrupt while a class is made has a note that names its attribute."""
    error = KeyboardInterrupt()
    assert user_notes(error) == []
    error.add_note("Error calling __set_name__ on 'x' instance 'X' in 'Y'")
    error.add_note(UserNote("the rows are kept"))
    assert user_notes(error) == ["the rows are kept"]
