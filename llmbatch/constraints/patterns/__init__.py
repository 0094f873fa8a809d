"""One meaning for a pattern: for the check, for the engines' grammars, for the tests of both."""
