"""A world of squares, small enough to be solved exactly: ``P`` says what every action leads to."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

MAP = ("S...#...", "..#.#.#.", ".##...#.", "....X.#.", ".X#.#...", "...X..#G")
"""Start, goal, pits and walls; the shortest path around them takes 12 steps."""
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))
"""Up, right, down, left, in rows and columns."""
COLOURS = {".": (238, 238, 232), "#": (70, 74, 82), "X": (196, 78, 60), "G": (72, 150, 92), "S": (214, 222, 236)}
ME, SIDE = (44, 86, 160), 24


class GridWorld(gymnasium.Env[Any, Any]):
    """Walk from ``S`` to ``G``. A step costs 1; the goal pays 20 and a pit costs 20, and both end the episode.

    The observation is the number of the square, row by row. A wall or the edge leaves one where one is. ``P[s][a]`` is
    a list of ``(probability, next square, reward, terminated)``, as Gymnasium's toy texts have it.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}  # noqa: RUF012 (as the base class has it)

    def __init__(self, map: tuple[str, ...] = MAP, slip: float = 0.0, render_mode: str | None = None) -> None:
        """The world of a map.

        Args:
            map: rows of ``S`` start, ``G`` goal, ``X`` pit, ``#`` wall and ``.`` floor.
            slip: probability that a step goes to one of the two sides instead, 0 to 1.
            render_mode: ``rgb_array`` to see it.
        """
        self.map, self.slip, self.render_mode = tuple(map), slip, render_mode
        self.width, squares = len(self.map[0]), "".join(self.map)
        if len(squares) != self.width * len(self.map) or squares.count("S") != 1 or "G" not in squares:
            raise ValueError("a map is rows of one length with one S and a G")
        self.start, self.squares = squares.index("S"), squares
        self.observation_space = gymnasium.spaces.Discrete(len(squares))
        self.action_space = gymnasium.spaces.Discrete(len(MOVES))
        self.P = {s: {a: self._outcomes(s, a) for a in range(len(MOVES))} for s in range(len(squares))}
        self._at = self.start

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Back to the start."""
        super().reset(seed=seed)
        self._at = self.start
        return self._at, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        """Move, if nothing is in the way."""
        outcomes = self.P[self._at][int(action)]
        chosen = self.np_random.choice(len(outcomes), p=[o[0] for o in outcomes]) if len(outcomes) > 1 else 0
        _, self._at, reward, terminated = outcomes[int(chosen)]
        return self._at, reward, terminated, False, {}

    def render(self) -> Any:
        """The squares from above, uint8 [H, W, 3]."""
        side = SIDE
        image = np.zeros((len(self.map) * side, self.width * side, 3), np.uint8)
        for place, square in enumerate(self.squares):
            row, column = divmod(place, self.width)
            image[row * side + 1 : (row + 1) * side, column * side + 1 : (column + 1) * side] = COLOURS[square]
        row, column = divmod(self._at, self.width)
        image[row * side + 6 : (row + 1) * side - 5, column * side + 6 : (column + 1) * side - 5] = ME
        return image

    def _outcomes(self, square: int, action: int) -> list[tuple[float, int, float, bool]]:
        """What an action leads to from a square."""
        if self.squares[square] in "GX":
            return [(1.0, square, 0.0, True)]
        sides = [((action + turn) % len(MOVES), self.slip / 2) for turn in (1, 3)]
        return [(share, *self._moved(square, a)) for a, share in [(action, 1 - self.slip), *sides] if share > 0]

    def _moved(self, square: int, action: int) -> tuple[int, float, bool]:
        row, column = divmod(square, self.width)
        row, column = row + MOVES[action][0], column + MOVES[action][1]
        inside = 0 <= row < len(self.map) and 0 <= column < self.width
        place = row * self.width + column if inside and self.map[row][column] != "#" else square
        reward = {"G": 20.0, "X": -20.0}.get(self.squares[place], 0.0) - 1.0
        return place, reward, self.squares[place] in "GX"
