"""What eSpeak NG makes of lyrics: syllables with sounds in every language it speaks, and the same speech each time."""

import subprocess
import sys
import threading

import numpy as np
import pytest

from acestep_serverless.contract.acestep_parameters import LANGUAGES
from acestep_serverless.engines.sketch.voice import espeak
from acestep_serverless.engines.sketch.voice.espeak import speak
from acestep_serverless.engines.sketch.voice.phonemes import boundaries
from acestep_serverless.engines.sketch.voice.syllables import (
    SUNG_LANGUAGES,
    Syllable,
    language_of,
    read_line,
    spoken_line,
    spoken_text,
)

WORDS = {
    "ar": "السلام", "az": "salam dünya", "bg": "Здравей свят", "bn": "আমার সোনার", "ca": "bon dia", "cs": "dobrý den",
    "da": "god morgen", "de": "guten Morgen", "el": "καλημέρα", "en": "good morning", "es": "buenos días", "fa": "سلام",
    "fi": "hyvää päivää", "fr": "bonjour monde", "he": "שלום", "hi": "नमस्ते", "hr": "dobar dan", "ht": "bonjou",
    "hu": "jó napot", "id": "selamat pagi", "is": "góðan daginn", "it": "buongiorno", "ja": "こんにちは",
    "ko": "안녕하세요", "la": "gaudeamus", "lt": "labas rytas", "ms": "selamat pagi", "ne": "नमस्ते", "nl": "goedemorgen",
    "no": "god morgen", "pa": "ਸਤ ਸ੍ਰੀ ਅਕਾਲ", "pl": "dzień dobry", "pt": "bom dia", "ro": "bună ziua",
    "ru": "доброе утро", "sk": "dobrý deň", "sr": "добар дан", "sv": "god morgon", "sw": "habari", "ta": "வணக்கம்",
    "te": "నమస్కారం", "th": "สวัสดี", "tr": "günaydın", "uk": "доброго ранку", "ur": "سلام", "vi": "xin chào",
    "yue": "早晨", "zh": "你好",
}  # fmt: skip


def sounds(text: str, language: str) -> list[str]:
    return ["".join(syllable.phonemes) for syllable in read_line(text, language)]


def test_every_language_of_the_list_is_sung_but_sanskrit_and_tagalog() -> None:
    assert SUNG_LANGUAGES == set(LANGUAGES) - {"sa", "tl", "unknown"} == set(WORDS)


@pytest.mark.parametrize("language", sorted(WORDS))
def test_a_greeting_has_syllables_with_sounds_in_each_language(language: str) -> None:
    syllables = read_line(WORDS[language], language)
    assert 2 <= len(syllables) <= 7
    assert all(syllable.phonemes for syllable in syllables)
    assert syllables[-1].word_end
    assert "".join(syllable.text for syllable in syllables).replace(" ", "") == WORDS[language].replace(" ", "")


def test_english_words_fall_into_the_syllables_that_they_are_sung_on() -> None:
    assert sounds("Hello darkness", "en") == ["hə", "loʊ", "dɑːɹk", "nəs"]
    assert read_line("umbrella", "en")[1] == Syllable("rel", ("b", "ɹ", "ɛ"), 2, False)
    assert [syllable.word_end for syllable in read_line("my old friend", "en")] == [True] * 3


def test_a_word_without_a_vowel_is_sung_on_what_sounds_most_or_joins_its_neighbour() -> None:
    assert sounds("prst", "hr") == ["prst"]
    assert spoken_line("prst", "hr")[0].nucleus == 1
    assert read_line("в лесу", "ru")[0].text == "в л"


def test_consonants_between_vowels_are_shared() -> None:
    assert boundaries(("d", "ɑː", "k", "n", "ə", "s")) == (0, 3)
    assert boundaries(("æ", "p", "ə", "l")) == (0, 1)
    assert boundaries(("ʌ", "m", "b", "ɹ", "ɛ", "l", "ə")) == (0, 2, 5)
    assert boundaries(("s",)) == (0,)


@pytest.mark.parametrize("text", ["", "  ", "!?", "...", "\x00\x07", "_", "'"])
def test_a_line_without_words_has_no_syllables(text: str) -> None:
    assert read_line(text, "en") == ()


def test_marks_of_speech_and_phoneme_code_in_lyrics_are_nothing_but_words() -> None:
    assert spoken_text('<voice name="x">[[h@l]] rock&roll\x07', "en") == "voice name x h l rock roll"


def test_chinese_characters_are_sung_as_japanese_reads_them() -> None:
    assert spoken_text("夜空に光る星", "ja") == "よぞら に ひかる ほし"
    assert spoken_text("空は", "ja") == "そら わ"
    assert sounds("星", "ja") == ["ho̞", "ɕi"]
    assert spoken_text("きみのこえ", "ja") == "きみのこえ"


def test_what_nobody_pronounces_is_hummed_on_syllables_counted_by_letters() -> None:
    assert [syllable.phonemes for syllable in read_line("mahal kita", "tl")] == [("m",)] * 4
    assert language_of("tl", "mahal kita") == ("tl", False)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hello world", "en"),
        ("la la la", "en"),
        ("你好世界", "zh"),
        ("きみの声", "ja"),
        ("사랑해", "ko"),
        ("Я люблю тебя", "ru"),
        ("Її очі", "uk"),
        ("Ich liebe dich und du bist mein", "de"),
        ("Je t'aime et tu es la vie", "fr"),
        ("Quiero que me des tu amor", "es"),
        ("O meu amor não é você", "pt"),
        ("Zażółć gęślą jaźń", "pl"),
        ("Seni seviyorum, ışığım", "tr"),
        ("Em yêu anh những ngày mưa", "vi"),
        ("Deja vu: a café in the night and you", "en"),
        ("Mahal ko ang mundo mo", "tl"),
    ],
)
def test_an_unknown_language_is_guessed_from_its_letters_and_little_words(text: str, language: str) -> None:
    assert language_of("unknown", text) == (language, language in SUNG_LANGUAGES)


def test_a_named_language_is_taken_at_its_word() -> None:
    assert language_of("it", "Hello world") == ("it", True)


def test_speech_does_not_depend_on_what_was_said_before() -> None:
    first = speak("the same old song", "en-us")
    for other, voice in (("oh", "en-us"), ("guten Tag", "de"), ("she sells", "en-us"), ("ma", "fr")):
        speak.cache_clear()
        speak(other, voice)
        again = speak("the same old song", "en-us")
        assert again is not first
        assert np.array_equal(again.samples, first.samples)
        assert again.phones == first.phones


def test_speech_is_the_same_in_every_process() -> None:
    program = (
        "import hashlib; from acestep_serverless.engines.sketch.voice.espeak import speak;"
        "speak('guten Tag', 'de');"
        "print(hashlib.sha256(speak('the same old song', 'en-us').samples.tobytes()).hexdigest())"
    )
    one, two = (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=True).stdout
        for _ in range(2)
    )
    assert one == two != ""


def test_threads_that_speak_at_once_hear_their_own_words() -> None:
    lines = [(f"line number {number} of the song", "en-us") for number in range(8)]
    alone = [speak(*line) for line in lines]
    speak.cache_clear()
    heard: dict[int, espeak.Speech] = {}

    def say(number: int) -> None:
        heard[number] = speak(*lines[number])

    threads = [threading.Thread(target=say, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(np.array_equal(heard[number].samples, alone[number].samples) for number in range(8))


@pytest.mark.parametrize(
    ("text", "language", "package"), [("Hello", "en", "espeakng-loader"), ("星", "ja", "pykakasi")]
)
def test_a_missing_package_is_named_with_its_command(text: str, language: str, package: str) -> None:
    """In a process of its own, whose import system knows the package as absent."""
    module = package.replace("-", "_")
    program = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from acestep_serverless.engines.sketch.voice.syllables import read_line\n"
        f"try: read_line({text!r}, {language!r})\n"
        "except Exception as problem: print(type(problem).__name__, problem)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=True)
    assert said.stdout.startswith("EngineUnavailable")
    assert f"pip install {package}" in said.stdout


def test_phonemes_lie_in_order_within_the_speech() -> None:
    speech = speak("hold my hand and never let me go", "en-us")
    assert all(0 <= phone.start <= phone.stop <= speech.samples.size for phone in speech.phones)
    assert [phone.start for phone in speech.phones] == sorted(phone.start for phone in speech.phones)
