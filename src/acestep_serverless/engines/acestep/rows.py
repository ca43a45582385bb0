"""What has the language model read of each song? Keys and values in tensors that stay where they are, a row a song.

A row's text stands at positions 0, 1, 2 ... of its row, however long the rows beside it are: nothing is padded on the
left, so a song's keys, values and rotations are the ones that it has alone. Each row knows its own next position.
What is attended to is cut at a multiple of `STRIDE` positions, so that short texts do not pay for the room of long
ones and the shapes are few.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicCache

Tensor = Any
STRIDE = 256


class RowLayer(CacheLayerMixin):
    """One layer's keys and values: [rows, heads, room, head_dim], and the near part of them, which is attended to.

    The step that is compiled sees tensors alone, no numbers: another length or another batch is another shape to it,
    and from the second one on it is ready for any.
    """

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.all_keys, self.all_values = keys, values
        self.is_initialized = True
        self.where: Tensor = None

    def aim(self, where: Tensor, reach: int) -> None:
        """Set the position of the next token in each row (int64 [rows]), and how many positions are near."""
        self.where = where
        self.keys, self.values = self.all_keys[:, :, :reach], self.all_values[:, :, :reach]

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Do nothing: the tensors are there from the beginning."""

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Take one new position for each row, [rows, heads, 1, head_dim]; give what can be attended to."""
        rows = torch.arange(self.where.shape[0], device=self.where.device)
        self.keys[rows, :, self.where] = key_states[:, :, 0]
        self.values[rows, :, self.where] = value_states[:, :, 0]
        return self.keys, self.values

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Tell how many positions can be attended to, and the first of them."""
        return int(self.keys.shape[2]), 0

    def get_seq_length(self) -> int:
        """Tell how many positions can be attended to; the rows know how many are filled."""
        return int(self.keys.shape[2])

    def get_max_length(self) -> int:
        """Tell for how many positions there is room."""
        return int(self.all_keys.shape[2])


class Rows:
    """The texts of several rows, and the model that reads on."""

    def __init__(
        self, body: Any, step: Any, prompts: Sequence[Sequence[int]], room: int, look: Callable[[], None]
    ) -> None:
        """Read the prompts (token ids, each at least one), with room for so many positions at first.

        `body` is a `Qwen3Model`, `step` the same or its compiled form, for reading one token on. `look` is called
        before each prompt is read, and may raise.
        """
        self._body, self._step, self._device = body, step, body.device
        self._ends = [len(prompt) for prompt in prompts]
        self._layers: list[RowLayer] = []
        known: dict[tuple[int, ...], int] = {}
        for row, prompt in enumerate(prompts):
            look()
            first = known.setdefault(tuple(prompt), row)
            if first == row:
                self._read(row, prompt, len(prompts), strides(max(room, *self._ends)))
            else:
                self._copy(first, row)
        self._cache = Cache(layers=list(self._layers))

    def feed(self, tokens: Sequence[int]) -> Tensor:
        """Read one more token in each row; give the model's last hidden states, [rows, width]."""
        self._reserve(max(self._ends) + 1)
        where, read = torch.tensor([self._ends, list(tokens)], device=self._device)
        reach = strides(max(self._ends) + 1)
        for layer in self._layers:
            layer.aim(where, reach)
        seen = torch.arange(reach, device=self._device) <= where[:, None]
        hidden = self._step(
            input_ids=read[:, None],
            position_ids=where[:, None],
            attention_mask={"full_attention": seen[:, None, None, :]},
            past_key_values=self._cache,
            use_cache=True,
        ).last_hidden_state
        self._ends = [end + 1 for end in self._ends]
        return hidden[:, 0]

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone, in this order. One layer after another is copied, never all of them at once."""
        kept = torch.tensor(rows, device=self._device)
        for layer in self._layers:
            layer.all_keys, layer.all_values = layer.all_keys[kept], layer.all_values[kept]
        self._ends = [self._ends[row] for row in rows]

    def _read(self, row: int, prompt: Sequence[int], rows: int, room: int) -> None:
        """Read a prompt by itself, in one pass, and keep it in its row."""
        read = DynamicCache(config=self._body.config)
        self._body(input_ids=torch.tensor([list(prompt)], device=self._device), past_key_values=read, use_cache=True)
        if not self._layers:
            self._layers = [RowLayer(_room(it.keys, rows, room), _room(it.values, rows, room)) for it in read.layers]
        for layer, from_it in zip(self._layers, read.layers, strict=True):
            layer.all_keys[row, :, : len(prompt)] = from_it.keys[0]
            layer.all_values[row, :, : len(prompt)] = from_it.values[0]

    def _copy(self, first: int, row: int) -> None:
        for layer in self._layers:
            layer.all_keys[row], layer.all_values[row] = layer.all_keys[first], layer.all_values[first]

    def _reserve(self, room: int) -> None:
        """Make more room where the texts have become longer than was foreseen."""
        if room <= self._layers[0].get_max_length():
            return
        for layer in self._layers:
            layer.all_keys = _longer(layer.all_keys, strides(2 * room))
            layer.all_values = _longer(layer.all_values, strides(2 * room))


def strides(positions: int) -> int:
    """Round a number of positions up to whole strides."""
    return -(-positions // STRIDE) * STRIDE


def _room(like: Tensor, rows: int, room: int) -> Tensor:
    _, heads, _, width = like.shape
    return torch.zeros((rows, heads, room, width), dtype=like.dtype, device=like.device)


def _longer(old: Tensor, room: int) -> Tensor:
    new = _room(old, old.shape[0], room)
    new[:, :, : old.shape[2]] = old
    return new
