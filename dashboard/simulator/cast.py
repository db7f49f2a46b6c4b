"""Who calls whom in the simulation: agents, campaigns, the people on their lists. All invented; knows no outcome."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from dashboard.simulator import conversations as said
from dashboard.simulator.conversations import Conversation, Value

# Indian mobile numbers begin with 6 to 9. Nobody can be rung under these, which say 555 as telephones in films do.
PEOPLE_PREFIX = "9155500"
CALLER_IDS = ("915551000001", "915551000002")
HELPLINE_NUMBER = "915551000009"
NUMBERS = 100_000

NAMES = (
    "Aarav Deshmukh",
    "Ananya Iyer",
    "Bhavesh Solanki",
    "Charu Bansal",
    "Deepak Rawat",
    "Divya Menon",
    "Farhan Qureshi",
    "Gauri Kulkarni",
    "Harpreet Gill",
    "Ishita Bose",
    "Jatin Arora",
    "Kavya Reddy",
    "Lakshmi Narayan",
    "Manoj Tiwari",
    "Nandini Hegde",
    "Omkar Jadhav",
    "Pooja Chauhan",
    "Rahul Nambiar",
    "Ritu Agarwal",
    "Sameer Khan",
    "Shalini Pillai",
    "Siddharth Rao",
    "Tanvi Shah",
    "Uday Bhatt",
    "Vandana Mishra",
    "Vikram Shetty",
    "Yusuf Ansari",
    "Zoya Merchant",
    "Joseph Kurien",
    "Meher Irani",
    "सुनीता शर्मा",
    "राजेश यादव",
    "किरण पाटील",
    "கவிதா முருகன்",
    "செந்தில் குமார்",
)
EVERYWHERE = ("Pune", "Jaipur", "Lucknow", "Chennai", "Indore", "Nagpur", "Surat", "Kochi", "Bhopal", "Mysuru")


def made_up_id(*words: str) -> str:
    """24 hexadecimal digits, the shape of the platform's ids; the same words always give the same id."""
    return hashlib.sha256(" ".join(("callboard", *words)).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Version:
    name: str
    conversation: Conversation


@dataclass(frozen=True)
class Agent:
    name: str
    versions: tuple[Version, ...]

    @property
    def id(self) -> str:
        return made_up_id("agent", self.name)

    def version_id(self, version: Version) -> str:
        return made_up_id("version", self.name, version.name)


@dataclass(frozen=True)
class Campaign:
    """`columns` are those of the list that was uploaded: each person has one of the values in each."""

    name: str
    agents: tuple[Agent, ...]
    columns: Mapping[str, tuple[Value, ...]]
    cities: tuple[str, ...] = EVERYWHERE
    weight: int = 1

    @property
    def id(self) -> str:
        return made_up_id("campaign", self.name)


@dataclass(frozen=True)
class Person:
    name: str
    number: str
    city: str
    columns: Mapping[str, Value] = field(default_factory=dict)


PRIYA = Agent("Priya", (Version("v4", said.EMI), Version("v5 softer", said.EMI)))
ROHAN = Agent("Rohan", (Version("v2", said.VISIT),))
ASHA = Agent("Asha", (Version("v7", said.CLINIC), Version("v8", said.CLINIC)))
ASHA_EVENINGS = Agent("Asha, evenings", (Version("v1", said.CLINIC),))
MEENA = Agent("Meena", (Version("v3 Tamil", said.ADMISSION),))
KABIR = Agent("Kabir", (Version("v1", said.RIDE), Version("v2", said.RIDE)))
NEHA = Agent("Neha", (Version("v6", said.RENEWAL),))
ARJUN = Agent("Arjun", (Version("v2", said.FEEDBACK),))
TARA = Agent("Tara", (Version("v3", said.HELPLINE),))
AGENTS = (PRIYA, ROHAN, ASHA, ASHA_EVENINGS, MEENA, KABIR, NEHA, ARJUN, TARA)

HELPLINE = Campaign(
    "Helpline", (TARA,), {}
)  # people ring it; it is no campaign on the platform and its id is never sent
CAMPAIGNS = (
    Campaign(
        "EMI reminders",
        (PRIYA,),
        {
            "loan_id": ("LN-20417", "LN-31882", "LN-40265", "LN-51903"),
            "emi_amount": (2850, 4350, 6120, 9400),
            "days_overdue": (1, 3, 7, 12),
        },
        weight=6,
    ),
    Campaign(
        "Site visits, Pune",
        (ROHAN,),
        {"configuration": ("2 BHK", "3 BHK"), "budget_lakh": (62, 78, 95, 130), "source": ("portal", "walk-in", "ad")},
        cities=("Pune", "Pimpri", "Hinjewadi", "Baner"),
        weight=5,
    ),
    Campaign(
        "Clinic appointments",
        (ASHA, ASHA_EVENINGS),  # one campaign may have several agents
        {
            "doctor": ("Dr. Rao", "Dr. Fernandes", "Dr. Sen"),
            "slot": ("11 am", "12:30 pm", "5 pm"),
            "department": ("skin", "eyes", "children"),
        },
        weight=4,
    ),
    Campaign(
        "School admissions",
        (MEENA,),
        {"grade": ("1", "3", "6", "9"), "annual_fee": ("48,000", "62,000")},
        cities=("Chennai", "Madurai", "Coimbatore"),
        weight=3,
    ),
    Campaign(
        "EV test rides",
        (KABIR,),
        {"model": ("Volta One", "Volta Max"), "range_km": (85, 110), "age": (22, 27, 34, 45)},
        weight=3,
    ),
    Campaign(
        "Insurance renewals",
        (NEHA,),
        {"premium": (3120, 5480, 11900), "policy_ends": ("28th", "30th"), "vehicle": ("car", "scooter", "van")},
        weight=3,
    ),
    Campaign("Delivery feedback", (ARJUN,), {"item": ("bookshelf", "floor lamp", "office chair")}, weight=2),
)


def make_person(random: Random, campaign: Campaign, index: int) -> Person:
    """The index-th person of the story; no two of the first 100,000 share a number."""
    number = f"{PEOPLE_PREFIX}{index * 7919 % NUMBERS:05}"  # 7919 is prime to 100,000: every number comes once
    columns = {column: random.choice(values) for column, values in campaign.columns.items()}
    return Person(random.choice(NAMES), number, random.choice(campaign.cities), columns)
