"""What may be sent as a query: one SELECT of the user's own, which only reads.

The text is judged on its words, after Oracle's lexical rules, so that a word in a comment, a text
or a quoted name never counts. What it begins with decides what Oracle makes of a statement: only
SELECT and WITH can read, and nothing that follows can write, but FOR UPDATE, sequences and the
functions of WITH FUNCTION.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import NoReturn

from marketpulse.errors import UsageError
from marketpulse.sources.conditions import ConditionError
from marketpulse.sources.conditions.tokens import Token, TokenKind, tokenize_statement
from marketpulse.sources.oracle.select_query import CHECK, SelectQuery, parse_binds

_HINT = "a query is one SELECT, or WITH ... SELECT: comments, hints and a ; at its end may stay"
_DML, _DDL = "it changes rows", "it changes the database"
_PLSQL = "it is PL/SQL"
_SESSION = "it changes the session or its transaction"
_SQLPLUS = "it is a SQL*Plus command"
# What other statements begin with, and why they are refused.
_OTHER_STATEMENTS = {
    **dict.fromkeys(("INSERT", "UPDATE", "DELETE", "MERGE", "UPSERT"), _DML),
    **dict.fromkeys(
        ("CREATE", "ALTER", "DROP", "TRUNCATE", "GRANT", "REVOKE", "COMMENT", "ANALYZE", "AUDIT",
         "NOAUDIT", "RENAME", "PURGE", "FLASHBACK", "ASSOCIATE", "DISASSOCIATE", "ADMINISTER"),
        _DDL,
    ),
    **dict.fromkeys(("BEGIN", "DECLARE"), _PLSQL),
    **dict.fromkeys(("CALL", "EXEC", "EXECUTE"), "it calls a procedure"),
    **dict.fromkeys(("COMMIT", "ROLLBACK", "SAVEPOINT", "LOCK"), _SESSION),
    "SET": f"{_SESSION}, or it is a SQL*Plus command",
    "EXPLAIN": "it writes to a plan table",
    "{": "it calls a procedure",
    "@": _SQLPLUS,
    **dict.fromkeys(
        ("SPOOL", "DEFINE", "UNDEFINE", "COLUMN", "PROMPT", "ACCEPT", "WHENEVER", "VARIABLE", "VAR",
         "SHOW", "DESC", "DESCRIBE", "CONNECT", "HOST", "START", "EXIT", "QUIT", "REM", "REMARK",
         "CLEAR", "TTITLE", "BTITLE", "BREAK", "COMPUTE", "PRINT", "COPY"),
        _SQLPLUS,
    ),
}  # fmt: skip
_DML_WORDS = ("INSERT", "UPDATE", "DELETE")  # those that are no names without quotes
_REFUSED_WORDS = {
    ";": "another statement follows, and only one is allowed",
    "INTO": f"{_PLSQL}, and a query has none",
    "NEXTVAL": "it changes a sequence, and a query only reads",
    "&": "SQL*Plus variables have no value here: write :NAME, and --bind NAME=VALUE",
}
_WORDS = {TokenKind.NAME, TokenKind.SYMBOL}


def parse_query(text: str, name: str = "query") -> str:
    """Return the statement without the semicolon at its end, and without what surrounds it.

    Raises `UsageError`, which names the word, for all that is not one SELECT which only reads.
    """
    try:
        tokens = tokenize_statement(text)
    except ConditionError as error:
        raise UsageError(f"{name}: {error}", hint=_HINT, check=CHECK) from error
    return _Statement(name, text, tokens).check()


def read_query(content: bytes, path: str, binds: Sequence[str] = ()) -> SelectQuery:
    """Return the query in the content of a file, with the values of `--bind NAME=VALUE`.

    Its table is named after the file; `-` is standard input. Raises `UsageError` if the content is
    not UTF-8, and what `parse_query` and `parse_binds` raise.
    """
    label = "standard input" if path == "-" else path
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{label}: byte {error.start} is not UTF-8", hint="save it as UTF-8", check=CHECK
        ) from None
    blanks = text[: len(text) - len(text.lstrip())]
    return SelectQuery(
        name="query" if path == "-" else PurePath(path.rpartition("/")[2]).stem or "query",
        text=parse_query(text, label),
        start=(blanks.count("\n") + 1, len(blanks) - blanks.rfind("\n")),
        file=label,
        binds=parse_binds(binds),
    )


@dataclass(frozen=True)
class _Statement:
    name: str
    text: str
    tokens: Sequence[Token]  # the last one is the end

    def check(self) -> str:
        """Return the statement. Raises `UsageError`."""
        tokens = self._without_terminator()
        if not tokens:
            self._refuse("it is empty")
        self._check_beginning(tokens)
        depth = 0
        for index, token in enumerate(tokens):
            if token.kind is TokenKind.SYMBOL:
                depth += (token.value == "(") - (token.value == ")")
                if depth < 0:
                    self._refuse("this parenthesis was not opened", token)
            previous = tokens[max(index - 1, 0)]
            is_clause = _is_word(previous, "RULES", "FOR")  # of MODEL; FOR UPDATE is refused below
            if depth == 0 and _is_word(token, *_DML_WORDS) and not is_clause:
                self._refuse(f"{_DML}, and a query only reads", token)
            self._check_place(token, self.tokens[index + 1])
        if depth:
            self._refuse("a parenthesis is not closed")
        return self.text[: tokens[-1].end].strip()

    def _without_terminator(self) -> list[Token]:
        """Return the words without the semicolon, or the / of SQL*Plus, at their end."""
        tokens = [*self.tokens[:-1]]
        if tokens and _is_word(tokens[-1], "/") and self._is_alone_on_its_line(tokens[-1]):
            tokens.pop()
        if tokens and _is_word(tokens[-1], ";"):
            tokens.pop()
        return tokens

    def _check_beginning(self, tokens: Sequence[Token]) -> None:
        first = next((token for token in tokens if not _is_word(token, "(")), tokens[0])
        if _is_word(first, "SELECT", "WITH"):
            return
        reason = _OTHER_STATEMENTS.get(first.value) if first.kind in _WORDS else None
        if reason is None:
            self._refuse("a query begins with SELECT or WITH", first)
        self._refuse(f"{reason}, and a query only reads", first)

    def _check_place(self, token: Token, following: Token) -> None:
        """Refuse what may not stand anywhere."""
        if token.kind not in _WORDS:
            return
        if token.value in _REFUSED_WORDS:
            self._refuse(_REFUSED_WORDS[token.value], token)
        is_next_statement = _is_word(following, "SELECT", "WITH", *_OTHER_STATEMENTS)
        if token.value == "/" and is_next_statement and self._is_alone_on_its_line(token):
            self._refuse(_REFUSED_WORDS[";"], token)
        if token.value == "FOR" and _is_word(following, "UPDATE"):
            self._refuse("it locks rows, and a query only reads", token, following)
        if token.value == "WITH" and _is_word(following, "FUNCTION", "PROCEDURE"):
            # WITH function AS (...) is a subquery of that name.
            declared = self.tokens[self.tokens.index(following) + 1]
            if not _is_word(declared, "AS", "("):
                self._refuse(f"{_PLSQL}, and a query has none", token, following)

    def _is_alone_on_its_line(self, token: Token) -> bool:
        before = self.text[: token.start].rpartition("\n")[2]
        after = self.text[token.end :].partition("\n")[0]
        return not (before + after).strip()

    def _refuse(self, reason: str, *words: Token) -> NoReturn:
        place = ""
        if words:
            shown = re.sub(r"\s+", " ", self.text[words[0].start : words[-1].end])
            line = self.text.count("\n", 0, words[0].start) + 1
            place = f", line {line}: {shown}"
        raise UsageError(f"{self.name}{place}: {reason}", hint=_HINT, check=CHECK)


def _is_word(token: Token, *words: str) -> bool:
    """Return whether a token is one of these words or symbols, and no text or quoted name."""
    return token.kind in _WORDS and token.value in words
