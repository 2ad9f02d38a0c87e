"""Reads what `make mutants` found: for each module how many changes no test noticed, and whether each is explained.

A change that makes a test run without end is noticed too. Below nine in ten of a group's changes it ends with 1.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

LEAST = 0.9
GROUPS: Mapping[str, tuple[str, ...]] = {
    "rights": ("bot/domain/acts", "bot/domain/rights", "bot/domain/routing"),
    "lifecycle": ("bot/services/lifecycle", "bot/services/effects", "bot/services/acting", "bot/domain/deadlines"),
    "delivery": (
        "bot/services/delivering",
        "bot/services/turns",
        "bot/services/showing",
        "bot/services/posting",
        "bot/domain/pace",
    ),
    "reminder": ("bot/services/reminding", "bot/domain/ladder"),
}
KILLED = {1, 3, 24, -24, 36, 152, 255}
"""Exit codes of a run that noticed: failed, or was ended because it went on without end."""
SAID = re.compile(r"(log\.\w+|say)\(")
"""What the log says is not held word for word: such a line needs no explanation, but counts as a survivor."""
EXPLAINED = Path(__file__).with_name("mutants.md")


@dataclass(frozen=True)
class Module:
    """One file's mutants."""

    name: str
    mutants: int
    survivors: tuple[str, ...]

    @property
    def share(self) -> float:
        return 1 - len(self.survivors) / self.mutants if self.mutants else 1.0


def found(name: str) -> Module:
    """Raises FileNotFoundError when the module was not run."""
    told = json.loads(Path("mutants", f"{name}.py.meta").read_text(encoding="utf-8"))["exit_code_by_key"]
    return Module(name, len(told), tuple(key for key, code in told.items() if code not in KILLED))


def change(mutant: str, module: str) -> tuple[str, str, str]:
    """(function, line before, line after) of a mutant."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    diff = get_diff_for_mutant(mutant, path=Path(f"{module}.py")).splitlines()
    lines = {}
    for sign in "-+":
        # The headline of a diff begins with three of them.
        changed = (line[1:].strip() for line in diff if line.startswith(sign) and not line.startswith(sign * 3))
        lines[sign] = " ".join(changed)
    function = re.sub(r"^x_|^xǁ", "", mutant.rpartition(".")[2].partition("__mutmut")[0]).replace("ǁ", ".")
    return function, lines["-"], lines["+"]


def unexplained(modules: list[Module]) -> Iterator[str]:
    """Each survivor of which tests/mutants.md says nothing."""
    told = EXPLAINED.read_text(encoding="utf-8") if EXPLAINED.exists() else ""
    for module in modules:
        for mutant in module.survivors:
            function, before, after = change(mutant, module.name)
            if f"`{after}`" not in told and not SAID.match(before):
                yield f"{module.name} {function} ({mutant.rpartition('_')[2]})\n  - {before}\n  + {after}"


def main() -> int:
    row = "{:<28} {:>7} {:>7} {:>9} {:>7}".format
    print(row("module", "mutants", "killed", "survived", "share"))
    short, every = [], []
    for group, names in GROUPS.items():
        modules = [found(name) for name in names]
        every += modules
        whole = Module(group, sum(each.mutants for each in modules), sum((each.survivors for each in modules), ()))
        for each in (*modules, whole):
            killed = each.mutants - len(each.survivors)
            name = each.name if each is not whole else f"= {group}"
            print(row(name, each.mutants, killed, len(each.survivors), f"{each.share:.1%}"))
        if whole.share < LEAST:
            short.append(group)
    rest = list(unexplained(every))
    print(f"\n{len(rest)} survivors are not explained in tests/mutants.md" + (":" if rest else "."))
    print("\n".join(rest))
    if short:
        print(f"Fewer than {LEAST:.0%} were noticed in: {', '.join(short)}")
    return int(bool(short))


if __name__ == "__main__":
    sys.exit(main())
