"""Where a personal value is in a text: as it is, and as JSON in ASCII writes it.

A value of a few characters is in any text, so short ones are searched for in pairs: both as whole words, a few words
apart.
"""

import json
import re
from collections import defaultdict

# What is at least as long is told from chance alone.
TELLING_LENGTH = 8
# Field names and punctuation may stand between the two of a pair.
WORDS_APART = 8

# Short columns of one row that are telling together.
PAIRS = {"bank_accounts": (("agency", "account"),)}


def written(value):
    """The forms of a value that a text may hold."""
    return {value, json.dumps(value)[1:-1]}


def traces_of(values, text):
    """The long ones of the values that are in the text; numbers count as whole words only."""
    words = set(re.findall(r"\w+", text))
    return {
        value
        for value in values
        if value and len(value) >= TELLING_LENGTH
        if (value in words if value.isdigit() else any(form in text for form in written(value)))
    }


def pairs_told(pairs, text):
    """The pairs of short values whose two words stand near each other in the text."""
    places = defaultdict(list)
    for place, word in enumerate(re.findall(r"[0-9A-Za-z]+", text)):
        places[word].append(place)
    return {
        (left, right)
        for left, right in pairs
        if left and right
        if any(abs(one - other) <= WORDS_APART for one in places.get(left, ()) for other in places.get(right, ()))
    }
