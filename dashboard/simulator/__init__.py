"""Made-up calls for a board to show: `simulate` sends them, `demo` brings a board as well."""

from __future__ import annotations

from dashboard.simulator.demo import demo
from dashboard.simulator.options import SimulateOptions, add_simulate_arguments, options_from
from dashboard.simulator.post import simulate
from dashboard.simulator.story import Story

__all__ = ["SimulateOptions", "Story", "add_simulate_arguments", "demo", "options_from", "simulate"]
