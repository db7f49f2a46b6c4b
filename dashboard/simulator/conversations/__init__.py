"""What is said on the simulated calls: turns that alternate, the agent first. Knows nothing of reports or time."""

from __future__ import annotations

from dashboard.simulator.conversations.english import CLINIC, FEEDBACK, HELPLINE, RIDE, WRONG_NUMBER
from dashboard.simulator.conversations.hindi import EMI, RENEWAL, VISIT, WRONG_NUMBER_HINDI
from dashboard.simulator.conversations.script import Clip, Conversation, Ending, Value
from dashboard.simulator.conversations.tamil import ADMISSION

CONVERSATIONS = (EMI, RENEWAL, VISIT, ADMISSION, CLINIC, RIDE, FEEDBACK, HELPLINE, WRONG_NUMBER, WRONG_NUMBER_HINDI)
CLIPS = tuple(clip for conversation in CONVERSATIONS for clip in conversation.clips())

__all__ = [
    "ADMISSION",
    "CLINIC",
    "CLIPS",
    "CONVERSATIONS",
    "EMI",
    "FEEDBACK",
    "HELPLINE",
    "RENEWAL",
    "RIDE",
    "VISIT",
    "WRONG_NUMBER",
    "WRONG_NUMBER_HINDI",
    "Clip",
    "Conversation",
    "Ending",
    "Value",
]
