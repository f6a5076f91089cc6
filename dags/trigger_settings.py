"""Whether what a trigger gives to a DAG are settings that it has, told from the fields of its form alone.

Airflow itself takes any name; the first task would refuse it, once a place and a process were found for it.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow.sdk import Param
from airflow.sdk.exceptions import ParamValidationError

from kilnworks.pipelines.core.form import OWN
from kilnworks.pipelines.core.rules import in_words
from kilnworks.schemas.errors import ConfigError


@dataclass(frozen=True)
class Fields:
    """The form of a DAG.

    Attributes:
        dag: its id.
        defaults: name -> what the field shows when the form opens.
        rules: name -> its JSON schema, with ``setting``, ``choice`` and ``open`` as ``kilnworks.dags.fields`` writes
            them.
    """

    dag: str
    defaults: Mapping[str, Any]
    rules: Mapping[str, Mapping[str, Any]]

    def check(self, given: Mapping[str, Any]) -> None:
        """Raises ``ConfigError`` for the first name that is no setting here, or whose value breaks its rules."""
        for name, value in given.items():
            field = self._field(name, given)
            if field is None:
                raise self._unknown(name, given)
            if field in self.rules:
                self._check_kind(field, value)
                self._check_choice(name, field, value, given)
                self._check_value(name, field, value)

    def _field(self, name: str, given: Mapping[str, Any]) -> str | None:
        """The field that a name means; itself where the name is a part of one, or holds some; None for none."""
        if name in self.rules:
            return name
        for choice, prefix in self._choices():
            if name.startswith(prefix):
                kind = str(given.get(choice, self.defaults[choice]))
                if kind not in self.rules[choice]["enum"]:
                    return name  # of a class of one's own, which is not known here
                inside = f"{prefix}{kind}.{name.removeprefix(prefix)}"
                if inside in self.rules:
                    return inside
        holds = any(field.startswith(f"{name}.") for field in self.rules)
        return name if holds or any(self._inside(name, field) for field in self.rules) else None

    def _choices(self) -> Iterator[tuple[str, str]]:
        """Fields that choose a kind, and what the names of its settings begin with."""
        for name, rules in self.rules.items():
            if "open" in rules:
                yield name, name.removesuffix("kind")

    def _inside(self, name: str, field: str) -> bool:
        """Whether a name is that of an entry of a field that holds many."""
        types = self.rules[field].get("type", "object")
        return name.startswith(f"{field}.") and any(kind in types for kind in ("object", "array"))

    def _check_kind(self, field: str, value: Any) -> None:
        rules = self.rules[field]
        kinds = [str(kind) for kind in rules.get("enum", ())]
        if "open" not in rules or value in kinds or (rules["open"] and re.fullmatch(OWN, str(value))):
            return
        own = ", or module:Class of your own" if rules["open"] else ""
        raise ConfigError(f"{self.dag}: {field} {value!r}", f"one of {', '.join(kinds)}{own}", _near(str(value), kinds))

    def _check_choice(self, name: str, field: str, value: Any, given: Mapping[str, Any]) -> None:
        choice, kind = self.rules[field].get("choice") or (None, None)
        if choice is None or value == self.defaults[field]:
            return
        chosen = given.get(choice, self.defaults[choice])
        if chosen != kind:
            raise ConfigError(
                f"{self.dag}: {name} is a setting of {kind!r}, and {choice} is {chosen!r}",
                f"settings of {chosen!r}",
                f"set {choice} to {kind!r}, or leave {name} out",
            )

    def _check_value(self, name: str, field: str, value: Any) -> None:
        try:
            Param(value, **self.rules[field]).resolve()
        except ParamValidationError as error:
            said = str(error).splitlines()[0]
            raise ConfigError(f"{self.dag}: {name}: {said}", _range(self.rules[field]), "correct it") from None

    def _unknown(self, name: str, given: Mapping[str, Any]) -> ConfigError:
        names = [n for n, rules in self.rules.items() if not rules.get("choice")]
        kinds = {choice: given.get(choice, self.defaults[choice]) for choice, _ in self._choices()}
        for rules in self.rules.values():
            choice, kind = rules.get("choice") or (None, None)
            if choice is not None and kinds[choice] == kind:
                names.append(str(rules["setting"]))
        wanted = f"one of its {len(names)} settings" if names else "none: this DAG takes no settings"
        return ConfigError(f"{self.dag} has no setting {name!r}", wanted, _near(name, names))


def _range(rules: Mapping[str, Any]) -> str:
    """The range of a value in words, as the help of its field says it."""
    deeper = [rule for rule in rules.get("allOf", ()) if isinstance(rule, Mapping)]
    choices = ", ".join(repr(choice) for choice in rules.get("enum", ()))
    return in_words({**rules, **(deeper[0] if deeper else {})}) or (
        f"one of {choices}" if choices else "a value of its type"
    )


def _near(name: str, names: list[str]) -> str:
    """The nearest name; for one without its step, that of the step that has it."""
    ends = [n for n in names if n.endswith(f".{name}")]
    near = ends[:1] or difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else "the form of the DAG shows all of them"
