"""The calls held in Tamil. Every school and person in them is invented."""

from __future__ import annotations

from dashboard.simulator.conversations.script import Conversation, Ending

ADMISSION = Conversation(
    clip="admission",
    clip_seconds=10,
    voices=("ta+f3", "ta+m3"),
    opening=(
        "வணக்கம், நான் மீனா, குறிஞ்சி பள்ளியிலிருந்து பேசுகிறேன். உங்கள் குழந்தையின் சேர்க்கை பற்றி பேசலாமா?",
        "ஆமாம், சொல்லுங்கள்.",
    ),
    variables={
        "interest": "unknown",
        "grade": "",
        "tour_day": "",
        "fee_question": False,
        "siblings": 0,
        "transport": False,
    },
    questions=(
        ("எந்த வகுப்பில் சேர்க்க விரும்புகிறீர்கள்?", "{grade} வகுப்பில்."),
        ("இடங்கள் இன்னும் இருக்கின்றன.", "கட்டணம் எவ்வளவு?"),
        ("ஆண்டுக் கட்டணம் ₹{annual_fee}, மூன்று தவணைகளில் கட்டலாம்.", "பேருந்து வசதி இருக்கிறதா?"),
        ("ஆமாம், {city} முழுவதும் பேருந்து வருகிறது.", "நல்லது. தமிழ் வழிக் கல்வி உண்டா?"),
        ("ஐந்தாம் வகுப்பு வரை தமிழும் ஆங்கிலமும் இரண்டும் உண்டு.", "சரி, மிகவும் நல்லது."),
    ),
    endings=(
        Ending(
            turns=(
                "{day} அன்று பள்ளியைப் பார்க்க வர முடியுமா?",
                "சரி, காலை பத்து மணிக்கு வருகிறோம்.",
                "நன்றி, {name}. {day} அன்று சந்திப்போம்.",
            ),
            disposition="Campus tour booked for {day}",
            found={
                "interest": ("high", "காலை பத்து மணிக்கு வருகிறோம்"),
                "grade": ("{grade}", "From the enquiry form"),
                "tour_day": ("{day}", "Agreed"),
                "transport": (True, "Asked about the bus"),
            },
            converted=True,
            functions=("book_campus_tour", "send_prospectus"),
            weight=3,
        ),
        Ending(
            turns=(
                "விவரங்களை வாட்ஸ்அப்பில் அனுப்பலாமா?",
                "அனுப்புங்கள். என் கணவரிடம் பேசிவிட்டு {day} சொல்கிறேன்.",
                "சரி, {day} அன்று அழைக்கிறேன்.",
            ),
            disposition="Will decide by {day}",
            found={
                "interest": ("medium", "Wants to talk to her husband"),
                "grade": ("{grade}", "From the enquiry form"),
            },
            callback=True,
            functions=("send_prospectus",),
            weight=3,
        ),
        Ending(
            turns=("இந்த ஆண்டு சேர்க்க விருப்பம் உள்ளதா?", "இல்லை, வேறு பள்ளியில் சேர்த்துவிட்டோம். நன்றி."),
            disposition="Joined another school",
            found={"interest": ("none", "வேறு பள்ளியில் சேர்த்துவிட்டோம்"), "grade": ("{grade}", "From the enquiry form")},
            weight=2,
        ),
    ),
)
