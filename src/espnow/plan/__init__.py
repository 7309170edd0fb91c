"""Plans: many stations without programs, described in a TOML file; repeated over seeds, swept over parameters.

Rules:

- A plan is values. One run of it is a function of the plan and a seed: the same in any process, in any order, so that a
  sweep may be divided among processes, interrupted and continued.
- Chance is a seed, split by name: where a group stands, when a traffic's messages come, what the air does. So another
  group or another size of one changes nothing else.
- It knows the air, not the lab: no boards, no programs. It prints nothing; what it finds are values and files.
"""

from espnow.plan.planfile import read
from espnow.plan.run import Work, execute

__all__ = ["Work", "execute", "read"]
