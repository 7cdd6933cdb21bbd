"""Facts, small talk and word classes of the domain: tables only, no code."""

CAPITALS = {
    "France": "Paris", "Germany": "Berlin", "Italy": "Rome", "Spain": "Madrid", "England": "London",
    "Ireland": "Dublin", "Portugal": "Lisbon", "Austria": "Vienna", "Poland": "Warsaw", "Hungary": "Budapest",
    "Russia": "Moscow", "Norway": "Oslo", "Sweden": "Stockholm", "Finland": "Helsinki",
    "Denmark": "Copenhagen", "Belgium": "Brussels", "Holland": "Amsterdam", "Wales": "Cardiff",
    "Egypt": "Cairo", "Kenya": "Nairobi", "Japan": "Tokyo", "China": "Beijing", "India": "Delhi",
    "Canada": "Ottawa", "Cuba": "Havana", "Peru": "Lima", "Australia": "Canberra", "Thailand": "Bangkok",
    "Iraq": "Baghdad", "Iran": "Tehran", "Jamaica": "Kingston", "Syria": "Damascus",
    "Romania": "Bucharest", "Serbia": "Belgrade", "Morocco": "Rabat",
    "America": "Washington",
}
OPPOSITES = [
    ("hot", "cold"), ("big", "small"), ("up", "down"), ("left", "right"), ("day", "night"), ("black", "white"),
    ("happy", "sad"), ("fast", "slow"), ("open", "closed"), ("old", "young"), ("rich", "poor"), ("hard", "soft"),
    ("wet", "dry"), ("high", "low"), ("long", "short"), ("early", "late"), ("full", "empty"), ("good", "bad"),
    ("light", "dark"), ("strong", "weak"), ("begin", "end"), ("come", "go"), ("win", "lose"), ("near", "far"),
    ("clean", "dirty"), ("loud", "quiet"), ("sweet", "bitter"), ("thick", "thin"), ("true", "false"),
    ("warm", "cool"), ("first", "last"), ("inside", "outside"), ("push", "pull"), ("north", "south"),
    ("summer", "winter"), ("love", "hate"), ("question", "answer"), ("always", "never"),
]
COLOURS = {
    "the sky": "blue", "the sun": "yellow", "grass": "green", "snow": "white", "coal": "black", "blood": "red",
    "a carrot": "orange", "a banana": "yellow", "milk": "white", "a tomato": "red", "a leaf": "green",
    "chocolate": "brown", "the sea": "blue", "a lemon": "yellow", "a strawberry": "red", "a frog": "green",
    "a plum": "purple", "a swan": "white", "a fire truck": "red", "a pumpkin": "orange",
}
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
          "November", "December")
# What an animal does with its voice; only those that have a common word for it.
SOUNDS = {
    "dog": "A dog can bark.", "cat": "A cat says meow.", "cow": "A cow says moo.", "duck": "A duck says quack.",
    "lion": "A lion can roar.", "bee": "A bee can buzz.", "snake": "A snake can hiss.", "wolf": "A wolf can howl.",
    "bird": "A bird can sing.",
}
LEGS = {"dog": 4, "cat": 4, "bird": 2, "spider": 8, "horse": 4, "duck": 2, "snake": 0, "fish": 0, "cow": 4,
        "chicken": 2, "person": 2, "beetle": 6, "tiger": 4, "rabbit": 4}
ABILITIES = {  # animal: what it can do, what it cannot
    "fish": (("swim",), ("walk", "talk", "read")), "bird": (("fly", "sing"), ("talk on the phone", "drive")),
    "dog": (("run", "bark", "swim"), ("fly", "read", "drive")), "cat": (("run", "jump"), ("fly", "read", "count")),
    "horse": (("run", "jump"), ("fly", "drive")), "snake": (("hiss",), ("walk", "fly")),
    "tiger": (("run", "swim"), ("fly", "talk")), "duck": (("swim", "fly"), ("read", "drive")),
}
KINDS = {
    "an animal": ("dog", "tiger", "horse", "rabbit", "cow", "duck", "lion", "wolf"),
    "a fruit": ("banana", "lemon", "plum", "strawberry"), "a colour": ("red", "blue", "green", "yellow"),
    "a number": ("seven", "three", "twelve", "nine"), "a month": ("January", "April", "August", "December"),
    "a day": ("Monday", "Friday", "Sunday"), "a country": ("France", "Spain", "Japan", "Egypt"),
}

# Small talk: (wordings in training, wordings kept for measuring, reply).
TALK = [
    (("hello", "hi", "hey there", "hello there", "hi there", "hello pocket", "hey pocket", "good day", "greetings"),
     ("hey", "hi pocket"), "Hello, how can I help you?"),
    (("good morning", "good morning to you", "good morning pocket"), ("a very good morning",), "Good morning to you."),
    (("good evening", "good evening to you", "good evening pocket"), ("a very good evening",), "Good evening to you."),
    (("good afternoon", "good afternoon pocket"), ("good afternoon to you",), "Good afternoon to you."),
    (("good night", "good night pocket", "sleep well"), ("good night to you",), "Good night, sleep well."),
    (("how are you", "how are you today", "how do you do", "how is it going", "how are things", "are you well",
      "are you okay", "how do you feel", "hello how are you", "how are you doing"),
     ("how are you feeling today", "hi how are you"), "I am fine, thank you."),
    (("what is your name", "who are you", "tell me your name", "do you have a name", "what are you called",
      "what's your name", "what should i call you"), ("who am i talking to", "please tell me your name"),
     "My name is Pocket."),
    (("thank you", "thanks", "thank you very much", "thanks a lot", "many thanks", "thank you pocket",
      "thanks for your help"), ("thank you so much", "thanks pocket"), "You are welcome."),
    (("goodbye", "bye", "bye bye", "see you later", "see you tomorrow", "goodbye pocket", "see you soon",
      "i have to go now"),
     ("bye for now", "i must go now"), "Goodbye, until next time."),
    (("what can you do", "how can you help me", "help", "what can i ask you", "what do you know", "help me please",
      "what are you good at"), ("tell me what you can do", "what can i ask"),
     "I can count, repeat words, and answer small questions."),
    (("are you a robot", "are you a person", "are you human", "what are you", "are you a machine", "are you real",
      "are you alive"), ("are you a computer", "are you a real person"), "I am a small computer program."),
    (("how old are you", "what is your age", "when were you born"), ("tell me your age",), "I am very young."),
    (("where do you live", "where are you", "where are you from", "where is your home"), ("where do you come from",),
     "I live inside your computer."),
    (("tell me a joke", "make me laugh", "do you know a joke", "say something funny", "another joke"),
     ("please tell me a joke",), "Why did the chicken cross the road? To reach the other side."),
    (("sing a song", "sing something", "can you sing", "sing for me"), ("please sing a song",),
     "I cannot sing, but I can count."),
    (("do you like music", "do you love music"), ("do you enjoy music",), "Yes, I like music."),
    (("can you hear me", "do you hear me", "are you there", "are you listening", "is anybody there",
      "do you understand me"),
     ("can you hear my voice", "hello can you hear me"), "Yes, I can hear you."),
    (("i am happy", "i feel happy", "i am very happy", "i feel great", "i had a good day", "i am happy today"),
     ("i feel very happy",), "That is good to hear."),
    (("i am sad", "i feel sad", "i am very sad", "i feel bad", "i had a bad day", "i am lonely"),
     ("i feel very sad",), "I am sorry to hear that."),
    (("i am hungry", "i am very hungry", "i want to eat"), ("i feel hungry",), "Then eat something nice."),
    (("i am thirsty", "i want to drink"), ("i feel thirsty",), "Then drink some water."),
    (("i am tired", "i am very tired", "i want to sleep"), ("i feel tired",), "Then take a rest."),
    (("i am bored", "this is boring"), ("i feel bored",), "Then let us count together."),
    (("i love you", "i like you", "you are great", "you are nice", "you are funny", "well done", "good job"),
     ("you are wonderful", "i really like you"), "Thank you, that is kind."),
    (("you are stupid", "you are wrong", "that is wrong", "you are bad"), ("this is wrong",),
     "I am sorry, I am still learning."),
    (("stop", "be quiet", "stop talking", "silence please"), ("please be quiet",), "Okay, I will be quiet."),
    (("yes", "okay", "very good", "all right"), ("sounds good",), "Good."),
    (("no", "no thank you", "never mind", "not now"), ("no thanks",), "Okay, no problem."),
    (("sorry", "i am sorry", "excuse me"), ("i am so sorry",), "No problem."),
    (("test", "testing", "this is a test", "testing one two three"), ("just a test",), "The test works."),
    (("who made you", "who built you", "how were you made"), ("who created you",), "I was trained on a computer."),
    (("are you clever", "are you smart"), ("are you intelligent",), "I am small, but I learn."),
    (("can you see me", "do you see me"), ("can you see my face",), "No, I can only see pictures."),
    (("do you speak english", "what language do you speak"), ("can you speak english",), "Yes, I speak English."),
]
# Fixed facts: (wordings in training, wordings kept for measuring, reply).
FACTS = [
    (("how many days are in a week", "how many days does a week have", "how long is a week"),
     ("how many days are there in a week",), "A week has seven days."),
    (("how many months are in a year", "how many months does a year have"),
     ("how many months are there in a year",), "A year has twelve months."),
    (("how many hours are in a day", "how many hours does a day have"),
     ("how many hours are there in a day",), "A day has twenty four hours."),
    (("how many minutes are in an hour", "how many minutes does an hour have"),
     ("how many minutes are there in an hour",), "An hour has sixty minutes."),
    (("how many seconds are in a minute", "how many seconds does a minute have"),
     ("how many seconds are there in a minute",), "A minute has sixty seconds."),
    (("how many sides does a triangle have",), ("how many sides has a triangle",), "A triangle has three sides."),
    (("how many sides does a square have",), ("how many sides has a square",), "A square has four sides."),
    (("how many fingers do i have", "how many fingers does a person have"), ("how many fingers has a person",),
     "A person has ten fingers."),
    (("how many wheels does a car have",), ("how many wheels has a car",), "A car has four wheels."),
    (("how many wheels does a bicycle have",), ("how many wheels has a bicycle",), "A bicycle has two wheels."),
    (("what do bees make", "what does a bee make"), ("what is made by bees",), "Bees make honey."),
    (("what do cows give", "what does a cow give"), ("what do we get from cows",), "Cows give milk."),
    (("what do fish live in", "where do fish live"), ("where does a fish live",), "Fish live in water."),
    (("what is the first month", "what is the first month of the year"), ("which month is the first",),
     "The first month is January."),
    (("what is the last month", "what is the last month of the year"), ("which month is the last",),
     "The last month is December."),
    (("what is frozen water", "what is frozen water called"), ("what do we call frozen water",),
     "Frozen water is ice."),
]

# Words of the phrases and lists to repeat, by class. Those of one class may replace one another in a template.
ANIMALS = ("tiger", "rabbit", "monkey", "lion", "horse", "dog", "cat", "duck", "chicken", "wolf", "camel", "eagle",
           "turtle", "elephant", "spider", "fox", "bird", "cow", "snake", "frog", "dolphin", "penguin", "goat",
           "kitten")
PEOPLE = ("teacher", "doctor", "farmer", "driver", "soldier", "captain", "baker", "singer", "writer", "dancer",
          "painter", "king", "queen", "lady", "student", "gardener", "policeman", "woman")
FAMILY = ("mother", "father", "brother", "sister", "uncle", "friend", "family", "cousin", "grandmother", "grandfather")
THINGS = ("table", "window", "basket", "bottle", "letter", "pencil", "book", "camera", "radio", "guitar", "piano",
          "hammer", "blanket", "button", "candle", "carpet", "jacket", "lamp", "ladder", "mirror", "pocket", "ticket",
          "wagon", "bicycle", "computer", "telephone", "umbrella", "box", "coat", "shirt", "hat", "clock", "bag",
          "picture", "paper", "spoon", "balloon", "rocket", "drum", "cup", "pillow", "newspaper", "map", "kite")
FOODS = ("apple", "butter", "coffee", "honey", "sugar", "pepper", "lemon", "banana", "tomato", "chocolate", "water",
         "bread", "cheese", "soup", "rice", "milk", "potato", "salad", "cookie", "orange juice", "pudding",
         "chicken soup")
PLACES = ("garden", "kitchen", "city", "village", "river", "mountain", "forest", "island", "ocean", "market",
          "hospital",
          "station", "airport", "school", "church", "house", "park", "valley", "castle", "office", "library", "desert",
          "bedroom", "theatre", "harbour", "bridge")
QUALITIES = ("big", "small", "happy", "little", "heavy", "golden", "quiet", "clever", "hungry", "gentle", "lucky",
             "modern", "pretty", "silent", "simple", "famous", "funny", "young", "old", "strong", "empty", "yellow",
             "green", "purple", "black", "white", "orange", "brown", "red", "blue", "brave", "lazy", "wooden", "broken")
FEELINGS = ("happy", "hungry", "angry", "ready", "lucky", "busy", "famous", "clever", "tired", "quiet", "lazy", "brave")
ACTIONS = ("swim", "jump", "run", "sing", "dance", "walk", "listen", "sleep", "work", "play", "travel", "swim fast",
           "cook", "wait", "climb", "laugh", "help", "count")
TIMES = ("today", "tomorrow", "in the morning", "in the evening", "every day", "on Monday", "on Friday", "in summer",
         "in winter", "at night", "after dinner", "in the afternoon", "before lunch", "on Sunday", "again")
LIST_ONLY = ("music", "number", "question", "paper", "silver", "summer", "winter", "thunder", "rainbow", "paradise",
             "holiday", "birthday", "morning", "evening", "yesterday", "carry", "follow", "remember", "forget",
             "finger", "shoulder", "engine", "history", "member", "planet", "magic", "problem", "dinner", "breakfast",
             "story")
SYSTEM_PROMPTS = (
    "You are a helpful assistant.",
    "You are Pocket, a small voice assistant.",
    "You are Qwen-Omni, a smart voice assistant created by Alibaba Qwen.",
    "Answer in short plain sentences.",
)
