"""Does docs/formats.md say what the code does? Its table of formats, and the limits on files from outside."""

from documents import read, table

from acestep_serverless.audio import readable
from acestep_serverless.audio.formats import FORMATS
from acestep_serverless.contract.media import SIDE_FILES


def test_the_table_of_formats_is_the_code_s() -> None:
    rows = [[cell.strip("`") for cell in row] for row in table("docs/formats.md", "`audio_format`")]
    assert [(name, suffix, media_type) for name, suffix, media_type, *_ in rows] == [
        (row.name, row.suffix, row.media_type) for row in FORMATS.values()
    ]
    rates = {row[0]: f"{FORMATS[row[0]].bit_rate} bit/s".replace("000 bit/s", " kbit/s") for row in rows}
    assert all(rates[row[0]] in row[3] for row in rows if FORMATS[row[0]].bit_rate is not None)


def test_the_limits_are_the_code_s() -> None:
    text = read("docs/formats.md")
    low, high = (rate // 1000 for rate in readable.SAMPLE_RATES)
    assert f"1 to {readable.MOST_CHANNELS} channels at {low} to {high} kHz" in text
    assert f"at most {readable.LONGEST_SECONDS:g} s and {readable.LARGEST_BYTES >> 30} GiB" in text
    assert f"over {readable.HIGHEST_SAMPLE:g} times full scale" in text
    assert f"with {readable.LONGEST_WORK_SECONDS:g} s of time" in text


def test_the_table_of_what_lies_beside_a_song_is_the_code_s() -> None:
    rows = [[cell.strip("`") for cell in row[:3]] for row in table("docs/formats.md", "Result")]
    assert rows == [[name, f".{kind.suffix}", kind.media_type] for name, kind in SIDE_FILES.items()]
