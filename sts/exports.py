"""What every export of an account is read with, and the account file as it comes about.

An export is somebody else's JSON: it is an object, of a depth that tools write, or an error that names the file.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sts.documents import AccountFileError

Entry = dict[str, Any]
_ARN: Final = re.compile(r"arn:([\w-]+):(?:iam|sts)::(\d{12}):", re.ASCII)
_DEPTH: Final = 64  # a policy in an export, or an attribute in a state, is ten deep


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose an entry is."""

    account: str
    partition: str = "aws"


@dataclass
class Import:
    """An account file as it comes about.

    Attributes:
        accounts: account id -> account.
        notes: what the reader ought to know.
    """

    accounts: dict[str, Entry] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _added: set[str] = field(default_factory=set)

    def account(self, owner: Owner) -> Entry:
        """The account, begun where it was not there."""
        if owner.account not in self.accounts:
            begun = {"AccountId": owner.account}
            self.accounts[owner.account] = begun if owner.partition == "aws" else begun | {"Partition": owner.partition}
        return self.accounts[owner.account]

    def add(self, owner: Owner, member: str, entry: Entry) -> None:
        """Put an entry into its account; one that is there already, in each word, is left out."""
        told = json.dumps([owner.account, member, entry], sort_keys=True)
        if told not in self._added:
            self._added.add(told)
            self.account(owner).setdefault(member, []).append(entry)

    def note(self, text: str) -> None:
        """Say it once."""
        if text not in self.notes:
            self.notes.append(text)

    def file(self) -> Entry:
        """The account file."""
        return {"Accounts": [self.accounts[account] for account in sorted(self.accounts)]}


def owner(arn: object) -> Owner | None:
    """Whose an ARN says its entry is; None where it names no account."""
    matched = _ARN.match(arn) if isinstance(arn, str) else None
    return Owner(matched[2], matched[1]) if matched else None


def read(name: str, content: bytes) -> Entry:
    """The JSON object of an export.

    Raises:
        AccountFileError: it is none, or one that no tool writes.
    """
    try:
        document = json.loads(content, parse_constant=_no_constant)
        json.dumps(document, ensure_ascii=False).encode()  # half a surrogate pair can be in no file
    except (ValueError, RecursionError) as problem:
        raise AccountFileError(f"{name}: no JSON: {problem}") from problem
    if not isinstance(document, dict):
        raise AccountFileError(f"{name}: no JSON object")
    if _deeper(document, _DEPTH):
        raise AccountFileError(f"{name}: nested deeper than {_DEPTH}, as no export is")
    return document


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _deeper(value: object, most: int) -> bool:
    """Whether a value is nested deeper; level by level, so that nothing here is as deep."""
    level = [value]
    for _ in range(most):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return bool(level)


def entries(document: Entry, member: str, name: str) -> Iterator[Entry]:
    """The objects of a list in an export; none where the list is not there."""
    listed = document.get(member)
    if listed is None:
        return
    if not isinstance(listed, list):
        raise AccountFileError(f"{name}: {member} is no list")
    for index, entry in enumerate(listed):
        if not isinstance(entry, dict):
            raise AccountFileError(f"{name}: {member}[{index}] is no object")
        yield entry
