"""The building blocks of the synthetic tickets: plain data, no code.

Slots: {p} product, {amt} amount of money, {date} date, {n} small number, {city} city.
`WITHHELD_*` and the last entry of every `Topic.problems` are never used for training.
"""

from __future__ import annotations

from typing import NamedTuple


class Topic(NamedTuple):
    """What customers of one category write: a problem, then perhaps a detail."""

    problems: tuple[str, ...]
    details: tuple[str, ...]


# A problem starts in lower case unless it starts with "I", so that it can follow an opening.
TOPICS: dict[str, Topic] = {
    "billing": Topic(
        (
            "I was charged twice for the {p}",
            "the invoice for my {p} shows the wrong amount",
            "my card was billed {amt} and I do not know why",
            "there is an unknown charge of {amt} on my bank statement",
            "the VAT on my last invoice is wrong",
            "you billed me {amt}, but the price was {amt}",
            "I still have no invoice for the {p}",
            "my monthly bill went up without notice",
            'the discount code "SAVE{n}" was not applied to my bill',
            "the payment for the {p} was taken two times",
            "the price on the bill is not the price in the shop",
            "the invoice shows a price that I never agreed to pay",
        ),
        (
            "My bank confirmed the second payment on {date}.",
            "Please send me a corrected invoice.",
            "The charge appeared on {date}.",
            "Our accounting team needs the tax number on the invoice.",
            'The bank statement says "{amt}".',
            "I only agreed to pay {amt}, not more.",
            "I paid by credit card on {date}.",
        ),
    ),
    "refund": Topic(
        (
            "I want my money back for the {p}",
            "please refund the {p} that I returned",
            "I sent the {p} back and still wait for the refund",
            "the refund for my {p} has not been paid",
            "I returned the {p} on {date} and got no money back",
            "you promised me a refund of {amt}",
            "only a part of the refund was paid, {amt} is missing",
            "I would like to return the {p} and be refunded",
            "the {p} arrived broken, so I ask for a full refund",
            "can I get my money back for the {p}",
            "how long does it take until I get my money",
            "I returned the {p} and still wait for my money",
        ),
        (
            "The return was received on {date}.",
            "The refund should be {amt}.",
            "I have the receipt for the return.",
            'Your agent wrote "the refund is on its way", but I see nothing.',
            "The money should go back to my card.",
            "I returned it in the box, unused.",
            "The return form was filled in, signed and sent.",
        ),
    ),
    "shipping": Topic(
        (
            "my {p} has not been delivered yet",
            "the parcel with the {p} is late",
            "the tracking page has shown nothing new since {date}",
            "the courier left my parcel at the wrong address",
            "where is my {p}",
            "the {p} was shipped to {city}, but I live in {city}",
            "the delivery of the {p} was planned for {date}",
            "my package is stuck in {city}",
            "the courier says that the {p} was delivered, but nothing came",
            "please change the delivery address to {city}",
            "nobody brought my parcel",
            "my parcel was left at the wrong address by the courier",
        ),
        (
            "The tracking number is {track}.",
            'Tracking says "in transit" and no more.',
            "Nobody rang the bell on {date}.",
            "The parcel should come to {city}.",
            "The courier does not answer the phone.",
            "The delivery was promised within {n} days.",
            "My neighbours have no parcel for me either.",
        ),
    ),
    "account": Topic(
        (
            "I cannot log in to my account",
            "the password reset mail never arrives",
            "please change the email address of my account",
            "my account is locked after {n} wrong passwords",
            "I forgot my password and my user name",
            "I want to change my user name",
            "someone else logged in to my account from {city}",
            "I have two accounts and want to merge them",
            "the login code is not sent to my phone",
            "please update the name in my profile",
            "please reset the password of my account",
            "I cannot reset the password of my account",
        ),
        (
            'The login page says "wrong password".',
            "My user name has not changed.",
            "The last login was on {date}.",
            "I tried to reset the password {n} times.",
            "The profile still shows my old email address.",
            "Two-factor login is switched on.",
            "My new phone number is in the profile.",
        ),
    ),
    "technical": Topic(
        (
            "the app crashes when I open it",
            "the {p} does not switch on",
            "the {p} no longer connects to the network",
            'the app shows "error {n}"',
            "the screen of the {p} stays black",
            "the {p} loses its connection every {n} minutes",
            "the software update of the {p} fails",
            "the website does not load on my tablet",
            "my {p} makes a loud noise and stops",
            "the {p} freezes after the update",
            "the app stays black after the start",
            "the app freezes and the screen stays black",
        ),
        (
            "I already restarted it {n} times.",
            "It started after the update on {date}.",
            "The battery is full and the cable works.",
            "The error message is always the same.",
            "I use version {n}.{n} of the app.",
            'The log says "connection lost".',
            "Another device works on the same network.",
        ),
    ),
    "cancellation": Topic(
        (
            "please cancel my order of the {p}",
            "I want to cancel my subscription",
            "I no longer need the {p}, please cancel it",
            "please end my membership on {date}",
            "I would like to cancel the contract",
            "I ordered the {p} by mistake, cancel it please",
            "how do I cancel the plan that I have",
            "please stop my subscription after this month",
            "I hereby cancel my membership",
            "the {p} should be cancelled before it leaves the warehouse",
            "please cancel the plan and the {p}",
            "please cancel the contract and my membership",
        ),
        (
            "Please confirm the cancellation in writing.",
            "The contract ends on {date}.",
            "I found a better plan elsewhere.",
            "I do not want to renew the subscription.",
            "The cancel button in the shop is grey.",
            'I clicked on "cancel" and nothing was confirmed.',
            "The cancellation period is {n} days.",
        ),
    ),
    "product": Topic(
        (
            "does the {p} come in blue",
            "is the {p} available in a larger size",
            "which {p} would you recommend for a beginner",
            "I have a question about the {p} before I buy it",
            "when will the {p} be back in stock",
            "does the {p} have a warranty of {n} years",
            "what is the difference between the {p} and the {p}",
            "how much does the {p} weigh",
            "is the {p} suitable for children",
            "can the {p} be used outdoors",
            "do you sell the {p} in green",
            "is the {p} made of wood or of metal",
            "does it have a warranty, and is it washable",
            "what size is the {p}",
            "is there a warranty on the {p}",
            "is the {p} available and does it have a warranty",
        ),
        (
            "The description on your page does not say it.",
            "I want to give it as a present on {date}.",
            "I compared it with {n} other models.",
            'The catalogue only says "standard size".',
            "Does the colour matter for the price?",
            "I would buy {n} pieces if it fits.",
            "A picture of the size chart would help.",
        ),
    ),
}

# The sentence that decides the priority; a ticket without one is "normal".
# The last sentence of each kind is withheld from training.
PRIORITY: dict[str, tuple[str, ...]] = {
    "low": (
        "There is no hurry.", "No rush at all.", "Take your time with the answer.",
        "Whenever you have a moment is fine.", "It can wait until next week.",
        "This is not important, I am just curious.", "Low priority, thank you.",
        "Answer when you have time, there is no rush.",
    ),
    "normal": (
        "Please let me know what to do.", "Can you look into it?", "Thank you for your help.",
        "I look forward to your answer.", "What are the next steps?", "Please help.",
        "Can you help me with it?",
    ),
    "high": (
        "Please reply as soon as possible.",
        "This is the third time that I write about it.",
        "I am very unhappy about this.",
        "I need an answer by tomorrow.",
        "Please treat this with high priority.",
        "I am really annoyed now.",
        "Please hurry, this is important to me.",
        "I am very annoyed, reply as soon as possible.",
    ),
    "urgent": (
        "This is urgent, I need an answer today.",
        "URGENT!",
        "Please act immediately.",
        "We cannot work until this is solved.",
        "I need it solved within the hour.",
        "It must be solved today, not later.",
        "This is an emergency.",
        "This must be solved immediately, it is urgent.",
    ),
}  # fmt: skip

GREETINGS = (
    "Hello,", "Hi,", "Hi there,", "Dear support team,", "Good morning,", "Hello {agent},",
    "Dear Sir or Madam,", "Hey,", "Good evening,", "Hi {agent},", "To whom it may concern:",
)  # fmt: skip
OPENINGS = (
    "I am writing because", "Unfortunately,", "Sorry to bother you, but", "As I said on the phone,",
    "I have a problem:", "Just so you know,", "My message is short:", "Again,", "It seems that",
)  # fmt: skip
ORDER_FRONT = ("Order {o}: ", "[{o}] ", "Re: {o}\n", "Order no. {o}. ", "Order #{o}\n", "{o}, ")
ORDER_INLINE = (" (order {o})", ", order {o}", " ({o})", ' - order "{o}"', ", see {o}")
ORDER_SENTENCE = (
    "My order number is {o}.", "The order is {o}.", "It is about order {o}.", "Order: {o}.",
    "You will find it under {o}.", "Reference: {o}.", "The number on the slip is {o}.",
    'The mail says "order {o}".', "I placed order {o} on {date}.",
)  # fmt: skip
ORDER_TAIL = ("Order {o}", "Ref. {o}", "(order: {o})", "P.S. The order was {o}.", "#{o}")
ORDER_MISSING = (
    "I cannot find my order number.", "I do not have the order number at hand.",
    "There is no order number yet.",
)  # fmt: skip
# Sentences without meaning for the answer; their numbers must not be taken for an order id.
NOISE = (
    "You can reach me at {phone}.", "My customer number is {num}.", "I called you on {date}.",
    "I have been a customer since {year}.", "My phone number is {phone}, after {n} pm.",
    '"Please hold the line", that is all I heard.', "I live in {city}, on floor {n}.",
    'My colleague {agent} said: "Just write to them."', "I wrote to you on {date}, too.",
    "It is for my office in {city}.", "The price was {amt}.", "My postcode is {num}.",
    "I spoke to {agent}, who was friendly.", "I bought it in {city}, with my brother.",
)  # fmt: skip
INTRO = ("My name is {name}.", "This is {name}.", "I am {name} from {city}.")
SIGN_OFFS = (
    "Best regards,\n{name}", "Kind regards,\n{name}", "Thanks,\n{first}", "{name}", "- {first}",
    "Regards, {name}", "Yours sincerely,\n{name}\n{phone}", "Cheers, {first}", "Thank you! {name}",
    "Best,\n{name}, {city}",
)  # fmt: skip

FIRST_NAMES = (
    "Anna", "Ben", "Carla", "David", "Elena", "Farid", "Grace", "Hugo", "Ines", "Jamal", "Karin",
    "Liam", "Maria", "Noah", "Olga", "Pedro", "Rosa", "Samir", "Tina", "Umar", "Vera", "Walter",
    "Yusuf", "Zoë", "José", "Mei", "Kofi", "Lucia", "Piotr", "Sofia", "Tom", "Emma",
)  # fmt: skip
LAST_NAMES = (
    "Adams", "Baker", "Costa", "Dubois", "Evans", "Fischer", "Garcia", "Hansen", "Ivanova",
    "Jensen", "Khan", "Lopez", "Müller", "Nowak", "Okafor", "Patel", "Rossi", "Schmidt", "Tanaka",
    "Vargas", "Weber", "Young", "Zhang", "O'Neill", "Brown", "Martin", "Silva", "Novak",
)  # fmt: skip
WITHHELD_FIRST_NAMES = ("Nora", "Marco", "Irina", "Paul", "Selma", "Ravi", "Clara", "Amir")
WITHHELD_LAST_NAMES = ("Larsen", "Ferrari", "Hoffmann", "Singh", "Moreno", "Becker", "Santos")
AGENTS = ("Sam", "Alex", "Kim", "Robin", "Chris", "Pat")

PRODUCTS = (
    "coffee machine", "desk lamp", "rain jacket", "blue jacket", "kettle", "headset",
    "garden chair", "phone case", "laptop", "mountain bike", "tent", "smart watch", "printer",
    "vacuum cleaner", "toaster", "backpack", "camera", "office chair", "keyboard", "monitor",
    "electric razor", "winter coat", "sofa", "bookshelf", "drill", "lawn mower", "tablet",
    "yoga mat", "rice cooker", "wool blanket", "speaker", "router",
)  # fmt: skip
WITHHELD_PRODUCTS = (
    "desk chair", "garden lamp", "coffee grinder", "winter jacket", "phone charger",
    "office printer", "mountain tent", "camera bag",
)  # fmt: skip
CITIES = (
    "Berlin", "Lisbon", "Leeds", "Oslo", "Lyon", "Prague", "Madrid", "Cork", "Vienna", "Turin",
    "Boston", "Denver", "Geneva", "Tampere", "Gdansk", "Porto",
)  # fmt: skip
WITHHELD_CITIES = ("Bergen", "Malmö", "Dublin", "Parma")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
TEAMS = ("retail", "business", "marketplace", "partners")
