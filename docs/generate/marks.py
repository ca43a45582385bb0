"""Where does a made part stand in its page? Between two comments with its name; this replaces what is between them."""


def filled(page: str, name: str, text: str, how: str = "made from the code") -> str:
    """Give a page with the part of this name replaced. Raises ValueError for a page without its two marks."""
    first, last = f"<!-- {how}: {name} -->\n", f"<!-- end: {name} -->"
    before, found, rest = page.partition(first)
    _, closed, after = rest.partition(last)
    if not (found and closed):
        raise ValueError(f"the marks of {name!r} are not both there")
    return f"{before}{first}{text.strip()}\n{last}{after}"
