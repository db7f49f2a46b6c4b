"""The calls held in Hindi, in its own letters and in Latin ones (Hinglish). Every company and person is invented."""

from __future__ import annotations

from dashboard.simulator.conversations.script import Conversation, Ending

EMI = Conversation(
    clip="emi",
    clip_seconds=11,
    voices=("hi+f3", "hi+m3"),
    opening=(
        "नमस्ते, मैं प्रिया बोल रही हूँ, उड़ान फाइनेंस से। आपकी इस महीने की किस्त बाकी है। क्या आप दो मिनट बात कर सकते हैं?",
        "हाँ, बोलिए।",
    ),
    variables={
        "payment_promise": "none",
        "promise_date": "",
        "reason_for_delay": "",
        "amount_promised": 0,
        "disputes_amount": False,
        "needs_human": False,
        "language": "hi",
    },
    questions=(
        ("आपकी किस्त ₹{emi_amount} की है और नियत तारीख निकल चुकी है।", "जी, पता है। तनख्वाह इस बार देर से आई।"),
        ("कोई बात नहीं। क्या आप आज कुछ रकम जमा कर सकते हैं?", "आज तो मुश्किल है, घर में शादी थी, सारा पैसा उसी में लग गया।"),
        ("समझ सकती हूँ। देर होने पर ₹500 का शुल्क लगता है।", "यह शुल्क माफ़ नहीं हो सकता क्या?"),
        ("अगर आप तीन दिन में जमा कर दें तो मैं निवेदन भेज सकती हूँ।", "ठीक है, यह तो अच्छा रहेगा।"),
        ("भुगतान आप यूपीआई से करेंगे या बैंक जाकर?", "यूपीआई से, मेरा बेटा कर देता है।"),
        ("बहुत अच्छा। क्या मैं लिंक इसी नंबर पर भेज दूँ?", "हाँ, इसी नंबर पर भेज दीजिए।"),
        ("आपका खाता {loan_id} है, क्या यह सही है?", "एक मिनट, पासबुक देखकर बताता हूँ… हाँ, सही है।"),
        ("पिछली बार भी किस्त पाँच दिन देर से आई थी।", "तब मैं गाँव गया था, वहाँ नेटवर्क नहीं रहता।"),
        ("आप चाहें तो किस्त अपने आप कट सकती है।", "नहीं, पिछली बार दो बार कट गई थी, फिर बैंक के चक्कर लगाने पड़े।"),
        ("उस गड़बड़ी के लिए मैं माफ़ी चाहती हूँ। क्या पैसा वापस आ गया था?", "हाँ, दो हफ़्ते बाद आया था।"),
        ("क्या नियत तारीख बदलने से आपको मदद मिलेगी?", "हाँ, अगर दस तारीख हो जाए तो आराम रहेगा।"),
        ("मैं यह बात लिख लेती हूँ, शाखा से जवाब आएगा।", "और एक बात, कितनी किस्तें बची हैं?"),
        ("आपकी सात किस्तें बची हैं।", "अच्छा, मुझे लगा था पाँच।"),
        ("मैं पूरा विवरण संदेश में भेज दूँगी।", "जी, धन्यवाद।"),
    ),
    endings=(
        Ending(
            clip="emi-promised",
            clip_seconds=19,
            turns=(
                "क्या आप कल तक जमा कर देंगे?",
                "हाँ, कल शाम तक कर दूँगा।",
                "धन्यवाद, मैं लिंक भेज रही हूँ।",
            ),
            disposition="कल तक भुगतान का वादा",
            found={
                "payment_promise": ("full", "कल शाम तक कर दूँगा"),
                "promise_date": ("tomorrow", "कल शाम तक कर दूँगा"),
                "amount_promised": ("{emi_amount}", "The whole instalment"),
            },
            converted=True,
            functions=("send_payment_link",),
            weight=4,
        ),
        Ending(
            turns=(
                "₹{emi_amount} कब तक जमा हो पाएँगे, {name} जी?",
                "अभी गाड़ी चला रहा हूँ, {day} को बात करना।",
                "ठीक है, {day} को फ़ोन करूँगी।",
            ),
            disposition="Asked to call on {day}",
            found={"reason_for_delay": ("driving", "अभी गाड़ी चला रहा हूँ")},
            callback=True,
            weight=3,
        ),
        Ending(
            turns=(
                "₹{emi_amount} कब तक जमा हो पाएँगे?",
                "मैंने तो पिछले हफ़्ते ही भर दिया, आपका हिसाब गलत है। किसी अफ़सर से बात कराइए।",
                "मैं अभी जाँच के लिए भेजती हूँ, आपको फ़ोन आएगा।",
            ),
            disposition="Says it is paid already",
            found={
                "disputes_amount": (True, "मैंने तो पिछले हफ़्ते ही भर दिया"),
                "needs_human": (True, "किसी अफ़सर से बात कराइए"),
            },
            functions=("open_dispute",),
            weight=2,
        ),
    ),
)

RENEWAL = Conversation(
    clip="renewal",
    clip_seconds=10,
    voices=("hi+f3", "hi+m3"),
    opening=(
        "नमस्कार, मैं नेहा, सुरक्षा जनरल से। आपकी गाड़ी का बीमा इसी महीने खत्म हो रहा है।",
        "अच्छा? इस बार प्रीमियम कितना है?",
    ),
    variables={
        "renewal": "undecided",
        "quoted_premium": 0,
        "competitor": "",
        "wants_link": False,
        "claim_last_year": False,
    },
    questions=(
        ("₹{premium}, सारे कर मिलाकर।", "पिछले साल तो इससे कम था।"),
        ("पिछले साल आपने एक दावा किया था, इसलिए थोड़ा बढ़ा है।", "वह तो छोटा सा काँच का दावा था।"),
        ("मैं छूट के लिए पूछ सकती हूँ। क्या सड़क पर सहायता भी चाहिए?", "हाँ, वह ज़रूर रखिए।"),
        ("ठीक है, वह इसमें शामिल है।", "और कागज़ कब तक आएँगे?"),
    ),
    endings=(
        Ending(
            turns=(
                "₹{premium}। क्या मैं भुगतान का लिंक भेज दूँ, {name} जी?",
                "हाँ, भेज दीजिए, अभी कर देता हूँ।",
                "भेज दिया है। धन्यवाद।",
            ),
            disposition="Renewal link sent",
            found={
                "renewal": ("agreed", "अभी कर देता हूँ"),
                "quoted_premium": ("{premium}", "Told by the agent"),
                "wants_link": (True, "हाँ, भेज दीजिए"),
            },
            converted=True,
            functions=("quote_premium", "send_policy_link"),
            weight=3,
        ),
        Ending(
            turns=("₹{premium}, सारे कर मिलाकर।", "दूसरी कंपनी कम में दे रही है, मैं वहीं से लूँगा।", "ठीक है, धन्यवाद।"),
            disposition="Went to another insurer",
            found={
                "renewal": ("lost", "मैं वहीं से लूँगा"),
                "quoted_premium": ("{premium}", "Told by the agent"),
                "competitor": ("not named", "दूसरी कंपनी"),
            },
            functions=("quote_premium",),
            weight=3,
        ),
    ),
)

VISIT = Conversation(
    clip="site-visit",
    clip_seconds=11,
    voices=("hi+m1", "hi+m3"),
    opening=(
        "Namaste, main Rohan bol raha hoon, Neelkamal Homes se. Aapne do bedroom ka ghar dekha tha na?",
        "Haan, dekha tha. Price kya chal raha hai?",
    ),
    spoken=(
        "नमस्ते, मैं रोहन बोल रहा हूँ, नीलकमल होम्स से। आपने दो बेडरूम का घर देखा था ना?",
        "हाँ, देखा था। प्राइस क्या चल रहा है?",
    ),
    variables={
        "lead_status": "cold",
        "budget_lakh": 0,
        "visit_day": "",
        "configuration": "",
        "loan_needed": False,
        "decision_maker": "",
        "objection": "",
    },
    questions=(
        ("{configuration} {budget_lakh} lakh se start hota hai, {name} ji.", "Achha. Parking include hai kya?"),
        ("Haan, ek covered parking included hai.", "Aur possession kab tak milega?"),
        ("Next year December tak, RERA registered hai.", "Pichhle builder ne bhi yahi bola tha, teen saal late hua."),
        ("Samajh sakta hoon. Tower A ready hai, aap khud dekh sakte hain.", "School aur hospital paas mein hain?"),
        ("School do kilometre pe hai, hospital paanch minute.", "Metro ka kya scene hai?"),
        ("Metro station ka kaam chal raha hai, 800 metre door.", "Theek hai. Bank loan aap karwa dete ho?"),
        ("Haan, chaar bank ke saath tie-up hai.", "Meri wife se baat karni padegi, decision wahi leti hain."),
        ("Bilkul, dono saath aaiye. Cab hum bhej denge.", "Cab free hai na?"),
    ),
    endings=(
        Ending(
            turns=(
                "{budget_lakh} lakh se start hai. {day} ko site visit rakh loon?",
                "Haan, {day} subah theek rahega.",
                "Done, location WhatsApp kar raha hoon. Milte hain!",
            ),
            disposition="Site visit fixed for {day}",
            found={
                "lead_status": ("interested", "Agreed to a visit"),
                "budget_lakh": ("{budget_lakh}", "Did not object to the price"),
                "visit_day": ("{day}", "{day} subah theek rahega"),
                "configuration": ("{configuration}", "Seen on the portal"),
                "loan_needed": (True, "Asked about banks"),
            },
            converted=True,
            functions=("book_site_visit", "send_whatsapp_brochure"),
            weight=3,
        ),
        Ending(
            turns=(
                "{budget_lakh} lakh se start hai.",
                "Abhi office mein hoon, {day} shaam ko call karo na.",
                "Sure, {day} ko call karta hoon.",
            ),
            disposition="Busy, call on {day} evening",
            found={
                "lead_status": ("warm", "Abhi office mein hoon"),
                "configuration": ("{configuration}", "From the portal"),
            },
            callback=True,
            weight=3,
        ),
        Ending(
            turns=("{budget_lakh} lakh se start hai.", "Bahut zyada hai yaar, mera budget utna nahi hai."),
            disposition="Over budget",
            found={
                "lead_status": ("not_interested", "Mera budget utna nahi hai"),
                "objection": ("price", "Bahut zyada hai"),
            },
            weight=3,
        ),
    ),
)

WRONG_NUMBER_HINDI = Conversation(
    clip="wrong-number-hindi",
    clip_seconds=9,
    voices=("hi+f3", "hi+m3"),
    opening=("हैलो, नमस्ते। क्या आपको मेरी आवाज़ आ रही है? हैलो?", "हाँ, आ रही है, पर यह रॉन्ग नंबर है भाई।"),
    endings=(Ending(turns=(), disposition="Wrong number"),),
)
