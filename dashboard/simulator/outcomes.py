"""How one attempt to reach a person ends, by hour, chance and conversation. Pure; knows no report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from dashboard.simulator.cast import Agent, Campaign, Person, Version
from dashboard.simulator.conversations import WRONG_NUMBER, WRONG_NUMBER_HINDI, Conversation, Ending, Value

# Of calls that rang at a given hour, how many are taken up: office hours and evenings, hardly at night.
ANSWERED_AT_HOUR = (
    *(0.30, 0.25, 0.25, 0.25, 0.25, 0.28),
    *(0.34, 0.40, 0.46, 0.54, 0.60, 0.62),
    *(0.57, 0.48, 0.46, 0.50, 0.54, 0.60),
    *(0.68, 0.70, 0.62, 0.48, 0.38, 0.32),
)
NEVER_DIALLED = {
    "INVALID_PHONE_NUMBER": 4,
    "OUTSIDE_TRIGGER_WINDOW": 3,
    "PRE_CALL_FN_FAILED": 2,
    "DELETED_SCH_CALL_ONE": 1,
    "DELETED_SCH_CALL_ALL": 1,
}
NEVER_DIALLED_SHARE = 0.06
NOT_TAKEN_UP = {"USER_UNAVAILABLE": 55, "USER_REJECTED": 20, "USER_UNRESPONSIVE": 22, "UNKNOWN": 3}
VOICEMAIL_SHARE = 0.18  # of calls nobody took up
VOICEMAIL_GREETING = (
    "Agent: Hello?\nUser: The person you are calling is not available. Please leave a message after the tone."
)
WRONG_NUMBER_SHARE = 0.07
LONG_SHARE = 0.05
MOST_SECONDS = 300  # the agents' longest call: then the platform ends it with SESSION_TIMEOUT
SECONDS_A_WORD = 0.42
SECONDS_A_TURN = 0.9
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


@dataclass(frozen=True)
class Attempt:
    """One go at reaching one person. Retries keep everything but the try and the call's id."""

    person: Person
    campaign: Campaign
    agent: Agent
    version: Version
    call_type: str
    try_count: int


@dataclass(frozen=True)
class Outcome:
    """`seconds` is what the platform reports; without a conversation nobody was spoken to."""

    reason: str
    seconds: int = 0
    transcript: str = ""
    clip: str = ""
    disposition: str = ""
    converted: bool = False
    callback: bool = False
    found: Mapping[str, tuple[Value, str]] = field(default_factory=dict)
    functions: tuple[str, ...] = ()

    @property
    def connected(self) -> bool:
        return bool(self.clip)

    @property
    def retryable(self) -> bool:
        return not self.connected and self.reason not in NEVER_DIALLED


def draw_outcome(random: Random, attempt: Attempt, hour: int) -> Outcome:
    """What happens when this attempt is made at `hour` of the day in India."""
    if attempt.call_type in ("inbound", "outbound-test", "agent-test"):
        return _talk(random, attempt)  # somebody is on the line: they rang us, or they are testing
    if attempt.try_count == 0 and random.random() < NEVER_DIALLED_SHARE:
        return Outcome(_weighted(random, NEVER_DIALLED))
    if random.random() < ANSWERED_AT_HOUR[hour] * 0.93**attempt.try_count:
        return _talk(random, attempt)
    if random.random() < VOICEMAIL_SHARE:
        return Outcome("VOICEMAIL_DETECTED", random.randint(4, 12), VOICEMAIL_GREETING, disposition="Voicemail")
    return Outcome(_weighted(random, NOT_TAKEN_UP))


def _talk(random: Random, attempt: Attempt) -> Outcome:
    conversation = attempt.version.conversation
    if attempt.call_type.startswith("outbound") and random.random() < WRONG_NUMBER_SHARE:
        conversation = WRONG_NUMBER_HINDI if conversation.voices[0].startswith("hi") else WRONG_NUMBER
    ending = random.choices(conversation.endings, [ending.weight for ending in conversation.endings])[0]
    words = _words(random, attempt.person)
    asked = _questions(random, conversation) if not ending.clip else ()
    turns = [turn.format_map(words) for turn in (*conversation.opening, *asked, *ending.turns)]
    seconds = _seconds(random, conversation, ending, turns)
    found: dict[str, tuple[Value, str]] = {
        name: (value, "") for name, value in attempt.version.conversation.variables.items()
    }
    if seconds >= MOST_SECONDS:  # cut off before the two came to an end
        cut = turns[: len(turns) - len(ending.turns)]
        return Outcome(
            "SESSION_TIMEOUT",
            MOST_SECONDS,
            _transcript(cut),
            conversation.clip,
            "Reached the longest time",
            found=found,
        )
    for name, (value, comment) in ending.found.items():
        found[name] = (_filled(value, words), comment.format_map(words))
    return Outcome(
        reason="PARTICIPANT_REMOVED" if len(turns) % 2 else "CLIENT_INITIATED",  # whoever spoke last hangs up
        seconds=seconds,
        transcript=_transcript(turns),
        clip=ending.clip or conversation.clip,
        disposition=ending.disposition.format_map(words),
        converted=ending.converted,
        callback=ending.callback,
        found=found,
        functions=ending.functions,
    )


def _transcript(turns: list[str]) -> str:
    return "\n".join(f"{('Agent', 'User')[index % 2]}: {turn}" for index, turn in enumerate(turns))


def _words(random: Random, person: Person) -> dict[str, Value]:
    first_name = person.name.split()[0]
    return {**person.columns, "name": first_name, "city": person.city, "day": random.choice(DAYS)}


def _questions(random: Random, conversation: Conversation) -> tuple[str, ...]:
    """The first few of the conversation's questions, or in a long call all of them, some more than once."""
    if not conversation.questions:
        return ()
    if random.random() < LONG_SHARE:
        rounds = random.randint(1, 2)
        return tuple(turn for _ in range(rounds) for question in conversation.questions for turn in question)
    return tuple(turn for question in conversation.questions[: random.randint(0, 4)] for turn in question)


def _seconds(random: Random, conversation: Conversation, ending: Ending, turns: list[str]) -> int:
    """The recording's length, or longer by what is said after it stops."""
    if ending.clip:
        return ending.clip_seconds + random.randint(0, 2)
    unspoken = turns[len(conversation.opening) :]
    talk = sum(len(turn.split()) * SECONDS_A_WORD + SECONDS_A_TURN for turn in unspoken)
    return conversation.clip_seconds + round(talk * random.uniform(0.9, 1.5))


def _filled(value: Value, words: Mapping[str, Value]) -> Value:
    """A value that is one word in braces keeps that word's type: {emi_amount} is a number."""
    if not isinstance(value, str):
        return value
    if value.startswith("{") and value.endswith("}") and value[1:-1] in words:
        return words[value[1:-1]]
    return value.format_map(words)


def _weighted(random: Random, weights: Mapping[str, int]) -> str:
    return random.choices(list(weights), list(weights.values()))[0]
