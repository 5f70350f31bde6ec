"""Error messages: what happened, where, what was expected, what to do, and suggestions for misspelt names."""

from firstread.core.errors import DataError, suggest


def test_an_error_says_what_where_expected_and_what_to_do():
    error = DataError("It broke", where="a.png", expected="a whole file", do="copy it again")
    assert str(error) == "It broke. Where: a.png. Expected: a whole file. What to do: copy it again."
    assert suggest("ches", ["abdomen", "chest"]) == ' Did you mean "chest"?'
    assert suggest("zzz", ["abdomen", "chest"]) == " There is: abdomen, chest."
