"""The calls held in English. Every company and person in them is invented."""

from __future__ import annotations

from dashboard.simulator.conversations.script import Conversation, Ending

CLINIC = Conversation(
    clip="clinic",
    clip_seconds=11,
    voices=("en-gb+f3", "en-gb+m3"),
    opening=(
        "Hello, this is Asha from Lotus Clinic. You have an appointment with us tomorrow. Will you be able to come?",
        "Yes, I remember. What time was it?",
    ),
    variables={"appointment": "unclear", "wants_reschedule": False, "new_slot": "", "doctor": "", "questions_asked": 0},
    questions=(
        ("It is at {slot} with {doctor}.", "Should I come with an empty stomach?"),
        ("Only if a blood test was ordered. Please bring your earlier reports.", "And where do I park the car?"),
        ("There is parking behind the clinic, and the first hour is free.", "Good. Do you take insurance cards?"),
        ("We take most of them. Please show the card at the desk.", "Fine, I will bring it along."),
    ),
    endings=(
        Ending(
            clip="clinic-confirmed",
            clip_seconds=19,
            turns=(
                "It is at eleven in the morning. Shall I confirm it?",
                "Yes, please confirm.",
                "Thank you. See you tomorrow.",
            ),
            disposition="Appointment confirmed",
            found={"appointment": ("confirmed", "Said: yes, please confirm"), "doctor": ("{doctor}", "As booked")},
            converted=True,
            functions=("confirm_slot",),
            weight=5,
        ),
        Ending(
            turns=(
                "It is at {slot} with {doctor}.",
                "That clashes with my work. Is {day} possible?",
                "Yes, {day} at half past four is free. I have moved it for you, {name}.",
                "Perfect, thank you so much.",
            ),
            disposition="Moved to {day}",
            found={
                "appointment": ("rescheduled", "Asked for another day because of work"),
                "wants_reschedule": (True, "That clashes with my work"),
                "new_slot": ("{day}, 4:30 pm", "Agent offered it and the patient accepted"),
                "doctor": ("{doctor}", "Unchanged"),
            },
            converted=True,
            functions=("find_slots", "move_appointment"),
            weight=2,
        ),
        Ending(
            turns=(
                "It is at {slot}.",
                "Please cancel, I went to a doctor in {city} already.",
                "I understand. Get well.",
            ),
            disposition="Cancelled, saw another doctor",
            found={"appointment": ("cancelled", "Has seen another doctor in {city}")},
            weight=2,
        ),
    ),
)

RIDE = Conversation(
    clip="test-ride",
    clip_seconds=12,
    voices=("en-gb+m1", "en-gb+m3"),
    opening=(
        "Hi, this is Kabir from Volta Motors. You asked for a test ride of our electric scooter. Is this a good time?",
        "Yes, go ahead. How far does it run on one charge?",
    ),
    variables={"interest": "unknown", "model": "", "ride_booked": False, "ride_day": "", "budget": 0, "concern": ""},
    questions=(
        ("The {model} runs {range_km} kilometres in the city.", "And what about charging at home?"),
        ("Any ordinary socket will do. It is full in about five hours.", "My flat is on the fourth floor, though."),
        ("The battery comes out. It weighs eleven kilos.", "Hmm, that is all right. What does it cost?"),
        ("In {city} it is one lakh twenty-four thousand on the road.", "Is there a subsidy on that?"),
        ("Yes, the state's share is already taken off.", "And the battery, how long is the warranty?"),
        ("Three years, or forty thousand kilometres.", "Okay. A friend of mine had trouble with the service."),
        ("There are now two service points in {city}, and pick-up is free.", "That is good to know."),
    ),
    endings=(
        Ending(
            clip="test-ride-booked",
            clip_seconds=20,
            turns=(
                "About one hundred kilometres. Shall I book a ride for Saturday?",
                "Saturday works.",
                "See you then.",
            ),
            disposition="Test ride booked for Saturday",
            found={
                "interest": ("hot", "Agreed to a day at once"),
                "model": ("{model}", "The one asked about"),
                "ride_booked": (True, "Saturday works"),
                "ride_day": ("Saturday", "Named by the agent, accepted"),
            },
            converted=True,
            functions=("find_showroom", "book_test_ride"),
            weight=3,
        ),
        Ending(
            turns=(
                "About {range_km} kilometres. Would you like to try it, {name}?",
                "I have to ask at home first. Call me on {day}.",
                "Of course. I will call again on {day}.",
            ),
            disposition="Wants a call on {day}",
            found={
                "interest": ("warm", "Wants to ask the family first"),
                "model": ("{model}", "The one asked about"),
                "concern": ("family decision", "I have to ask at home first"),
            },
            callback=True,
            weight=3,
        ),
        Ending(
            turns=(
                "About {range_km} kilometres.",
                "Too little for me, I drive to {city} and back every day. No, thanks.",
            ),
            disposition="Range too small",
            found={"interest": ("cold", "Needs a longer range"), "concern": ("range", "Too little for me")},
            weight=3,
        ),
    ),
)

FEEDBACK = Conversation(
    clip="feedback",
    clip_seconds=9,
    voices=("en-gb+m1", "en-gb+f2"),
    opening=(
        "Hello, Arjun here from Tulsi Home Store. Your order arrived this week. How was it?",
        "Good, it came on time.",
    ),
    variables={"rating": 0, "would_recommend": False, "issue": "none", "wants_refund": False, "comment": ""},
    questions=(
        ("Glad to hear that. Was anything damaged, {name}?", "The box was a bit torn, the {item} was fine."),
        ("Sorry about the box. And the colour, as on the photo?", "A little darker, but I like it."),
    ),
    endings=(
        Ending(
            turns=(
                "From one to five, what would you give us?",
                "Four. The delivery boy was very polite.",
                "Thank you, {name}. Have a good day.",
            ),
            disposition="Rated 4 of 5",
            found={
                "rating": (4, "Said: four"),
                "would_recommend": (True, "Praised the delivery"),
                "comment": ("The delivery boy was very polite", "Own words"),
            },
            converted=True,
            functions=("save_rating",),
            weight=4,
        ),
        Ending(
            turns=(
                "From one to five, what would you give us?",
                "Two. The {item} came without its screws, and nobody answers my mails.",
                "I am sorry. I have opened a complaint, you will hear from us by {day}.",
                "I hope so.",
            ),
            disposition="Complaint opened: parts missing",
            found={
                "rating": (2, "Said: two"),
                "issue": ("missing parts", "Came without its screws"),
                "comment": ("Nobody answers my mails", "Own words"),
            },
            functions=("save_rating", "open_complaint"),
            weight=2,
        ),
    ),
)

HELPLINE = Conversation(
    clip="helpline",
    clip_seconds=9,
    voices=("en-gb+f3", "en-gb+m1"),
    opening=(
        "Thank you for calling Nila Broadband. This is Tara. How can I help you?",
        "My internet has been down since the morning.",
    ),
    variables={"topic": "other", "resolved": False, "ticket": "", "mood": "neutral"},
    questions=(
        ("Is the light on the box green or red?", "Red. It was green last night."),
        ("Please switch it off, wait for ten seconds, and switch it on again.", "Just a moment. Yes, it is starting."),
        ("How does the light look now?", "It is still red."),
    ),
    endings=(
        Ending(
            turns=(
                "There is a fault in your area, {city}. It should be mended by this evening.",
                "All right, then I will wait.",
                "I will send you a message when it is done.",
            ),
            disposition="Known fault explained",
            found={"topic": ("outage", "Down since the morning"), "resolved": (True, "Caller is ready to wait")},
            converted=True,
            functions=("find_outage", "create_ticket"),
            weight=3,
        ),
        Ending(
            turns=("I will pass you to a colleague.", "This is the third time I am calling. Please hurry."),
            disposition="Handed to a person",
            found={"topic": ("outage", "Red light"), "mood": ("angry", "This is the third time I am calling")},
            functions=("transfer_call",),
            weight=2,
        ),
    ),
)

WRONG_NUMBER = Conversation(
    clip="wrong-number",
    clip_seconds=10,
    voices=("en-gb+m1", "en-gb+f2"),
    opening=(
        "Hello, good morning. Am I audible? I am calling about the request you made.",
        "Sorry, that was not me. You have the wrong number.",
    ),
    endings=(Ending(turns=(), disposition="Wrong number"),),
)
