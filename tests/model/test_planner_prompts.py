"""Are the language model's texts those of the published models? Letter by letter, from the project's fact sheet."""

import pytest
from tiny_tokenizer import tiny_tokenizer

from acestep_serverless.engines.acestep import codes, prompts
from acestep_serverless.errors import EngineError, EngineUnavailable

GENERATE = "# Instruction\nGenerate audio semantic tokens based on the given conditions:\n\n"
FACTS = {
    "bpm": "96",
    "caption": "A calm piano",
    "duration": "120",
    "keyscale": "A minor",
    "language": "en",
    "timesignature": "4",
}
THOUGHT = """<think>
bpm: 96
caption: A calm piano
duration: 120
keyscale: A minor
language: en
timesignature: 4
</think>"""


def turns(system: str, user: str) -> str:
    """The chat of the tiny tokenizer, which is Qwen's, with the assistant's turn open."""
    return f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"


def said(what: tuple[prompts.Turn, ...]) -> str:
    return prompts.spoken(tiny_tokenizer(codes=64), what)


def test_a_thought_is_asked_for_with_caption_and_lyrics() -> None:
    expected = turns(GENERATE, "# Caption\ncalm piano\n\n# Lyric\nla la\n")
    assert said(prompts.before_thought("calm piano", "la la")) == expected


@pytest.mark.parametrize("nothing", ["NO USER INPUT", "", "  NO USER INPUT\n"])
def test_a_thought_is_led_away_from_a_song_without_caption(nothing: str) -> None:
    assert said(prompts.not_before_thought("la la", nothing)) == turns(GENERATE, "# Lyric\nla la\n")


def test_a_negative_prompt_stands_for_the_caption() -> None:
    noise = turns(GENERATE, "# Caption\nnoise\n\n# Lyric\nla\n")
    assert said(prompts.not_before_thought("la", "noise")) == noise
    assert said(prompts.not_before_codes("calm", "la", "noise")) == noise + "<think>\n</think><|im_end|>\n"


def test_codes_follow_the_thought_in_a_new_line() -> None:
    expected = turns(GENERATE, "# Caption\ncalm\n\n# Lyric\nla\n") + THOUGHT + "<|im_end|>\n"
    assert said(prompts.before_codes("calm", "la", FACTS)) == expected


def test_codes_are_led_away_from_an_empty_thought() -> None:
    expected = turns(GENERATE, "# Caption\ncalm\n\n# Lyric\nla\n") + "<think>\n</think><|im_end|>\n"
    assert said(prompts.not_before_codes("calm", "la", "NO USER INPUT")) == expected


def test_a_template_that_leaves_a_thought_open_gets_a_line_end() -> None:
    tokenizer = tiny_tokenizer(codes=32)
    tokenizer.chat_template = "{%- for message in messages -%}{{ message.content }}{%- endfor -%}"
    assert prompts.spoken(tokenizer, prompts.not_before_codes("calm", "la", "")).endswith("</think>\n")


def test_words_and_descriptions_are_asked_for_in_the_models_terms() -> None:
    invent = "# Instruction\nExpand the user's input into a more detailed and specific musical description:\n\n"
    polish = "# Instruction\nFormat the user's input into a more detailed and specific musical description:\n\n"
    hear = "# Instruction\nUnderstand the given musical conditions and describe the audio semantics accordingly:\n\n"
    invention = prompts.invention("a love song", instrumental=False)
    assert said(prompts.asked(prompts.INVENT, invention)) == turns(invent, "a love song\n\ninstrumental: false")
    assert prompts.invention(" ", instrumental=True) == "NO USER INPUT\n\ninstrumental: true"
    polishing = prompts.polishing("rock", "la la")
    assert said(prompts.asked(prompts.POLISH, polishing)) == turns(polish, "# Caption\nrock\n\n# Lyric\nla la")
    assert prompts.polishing("", "[inst]") == "# Caption\nNO USER INPUT\n\n# Lyric\n[Instrumental]"
    code_text = codes.write_codes([56535, 62918])
    assert code_text == "<|audio_code_56535|><|audio_code_62918|>"
    assert said(prompts.asked(prompts.UNDERSTAND, code_text)) == turns(hear, code_text)


def test_a_thought_is_yaml_with_its_keys_in_order() -> None:
    assert prompts.thought(FACTS) == THOUGHT
    assert prompts.thought({}) == "<think>\n</think>"
    assert prompts.thought_line("language", "no") == "language: 'no'\n"
    assert prompts.thought_line("keyscale", "F♯ minor") == "keyscale: F♯ minor\n"


def test_a_long_caption_is_folded_and_read_back() -> None:
    caption = "Warm strings: slow, wide and " + "very " * 30 + "calm, with a 'quoted' word # and a hash"
    written = prompts.thought({**FACTS, "caption": caption})
    assert "\n  " in written
    assert prompts.read_thought(f"{written}\n\n# Lyric\n")["caption"] == caption


@pytest.mark.parametrize(
    "text", ["bpm: 96", "<think>\nbpm: 96", "<think>\nbpm: [96\n</think>", "<think>\n- 1\n</think>"]
)
def test_what_is_no_thought_is_an_engine_error(text: str) -> None:
    with pytest.raises(EngineError, match="could not be read"):
        prompts.read_thought(text)


@pytest.mark.parametrize(("lyrics", "none"), [("", True), (" [Inst]\n", True), ("[INSTRUMENTAL]", True), ("la", False)])
def test_lyrics_may_say_that_nothing_is_sung(lyrics: str, none: bool) -> None:
    assert prompts.is_instrumental(lyrics) is none


def test_codes_are_five_a_second() -> None:
    assert [codes.codes_for(seconds) for seconds in (10, 30.0, 0.1, 30.1, 2.5)] == [50, 150, 1, 151, 13]
    assert codes.write_codes([0, 63_999]) == "<|audio_code_0|><|audio_code_63999|>"


def test_a_vocabulary_without_codes_is_no_planner() -> None:
    with pytest.raises(EngineUnavailable, match="no acestep-5Hz-lm"):
        codes.CodeBook.of(tiny_tokenizer())
