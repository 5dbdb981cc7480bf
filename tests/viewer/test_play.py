"""Whole games at the keyboard: what a key does, what is recorded, and that a replay is the same game."""

import gymnasium
import numpy as np
import pygame
import pytest

import rlcourse  # noqa: F401  (registers the worlds)
from rlcourse.errors import StorageError, UsageError
from rlcourse.viewer.play import Player, play
from rlcourse.viewer.record import read_record, write_record
from rlcourse.viewer.replay import Replay
from rlcourse.viewer.session import Game, Session
from rlcourse.viewer.show import frames
from rlcourse.viewer.window import Window

from ..envs.variants import IDS, VARIANTS
from .worlds import CORRIDOR, DOORS, MUTE

ICE = {"layout": "S..2\n.#..\n1..E", "slip": 0.4, "move_reward": -0.125}
ALL = [(name, VARIANTS[name.removeprefix("rlcourse/")][0]) for name in IDS]
FOREIGN = [("FrozenLake-v1", {}), ("CartPole-v1", {"max_episode_steps": 8}), (CORRIDOR, {"length": 3})]


def keys_of(player, count):
    """Keys, or numbers that are entered, one action after another."""
    controls = player.controls
    if controls.numbers:
        return [key for number in list(controls.numbers)[:count] for key in (*number, "return")]
    every = list(dict.fromkeys(controls.actions.values()))
    first = {action: key for key, action in reversed(controls.actions.items())}
    return [first[every[place % len(every)]] for place in range(count)]


@pytest.mark.parametrize(("name", "kwargs"), [*ALL, *FOREIGN], ids=[*IDS, *(name for name, _ in FOREIGN)])
def test_a_game_is_recorded_and_replayed_picture_by_picture(name, kwargs, tmp_path):
    game = Game(name, kwargs, seed=11)
    player = Player(game)
    pictures, sizes = [game.picture()], {player.frame().shape}
    for key in keys_of(player, 12):
        before = (game.episode, game.step)
        player.press(key)
        if (game.episode, game.step) != before:
            pictures.append(game.picture())
        if game.end is not None:
            sizes.add(player.frame().shape)
            player.press("return")
            pictures.append(game.picture())
    player.press("r")
    pictures.append(game.picture())
    sizes.add(player.frame().shape)
    game.close()
    assert len(sizes) == 1
    assert game.record.steps > 0

    path = tmp_path / "game.json"
    write_record(path, game.record)
    replay = Replay(path)
    assert replay.difference == ""
    assert replay.length == len(pictures)
    for place, picture in enumerate(pictures):
        assert np.array_equal(replay.session.picture(), picture), place
        assert replay.forward() == (place + 1 < len(pictures))
    replay.close()


def test_an_action_is_what_the_world_does():
    """The game against the same world stepped directly."""
    game = Game("CandyMaze-v0", ICE, seed=5)
    player = Player(game)
    env = gymnasium.make("rlcourse/CandyMaze-v0", **ICE)
    env.reset(seed=5)
    total = 0.0
    for key, action in [("right", 1), ("s", 3), ("[6]", 1), ("up", 2), ("d", 1)]:
        player.press(key)
        reward = env.step(action)[1]
        total += reward
        assert (game.reward, game.total) == (reward, total)
    assert game.record.episodes[0].actions == [1, 3, 1, 2, 1]
    assert game.record.env_kwargs == ICE


def test_keys_without_a_meaning_do_nothing():
    player = Player(Game("CandyMaze-v0", seed=0))
    for key in ("space", "q1", "x", "5", "return", "backspace", "f1", ""):
        player.press(key)
    assert player.game.record.steps == 0
    assert not player.left
    player.press("q")
    assert player.left


@pytest.mark.parametrize(("name", "kwargs"), [*ALL, ("CandyMaze-v0", ICE)], ids=[*IDS, "ice"])
def test_what_was_taken_back_never_was(name, kwargs):
    straight, winding = (Player(Game(name, kwargs, seed=3)) for _ in range(2))
    first, second = keys_of(straight, 3), keys_of(straight, 4)[::-1]
    for key in first:
        straight.press(key)
        winding.press(key)
    before = winding.game.step
    for key in second + first:
        winding.press(key)
    while winding.game.step > before:
        winding.press("u")
    for key in second:
        straight.press(key)
        winding.press(key)
    assert winding.game.record == straight.game.record
    assert winding.status() == straight.status()
    assert np.array_equal(winding.frame(), straight.frame())


def test_the_end_can_be_taken_back_but_not_another_episode():
    player = Player(Game("CandyMaze-v0", {"layout": "S.E\n..."}, seed=0))
    player.press("u")
    for key in ("right", "right"):
        player.press(key)
    assert player.game.end == "terminated"
    player.press("u")
    assert (player.game.end, player.game.step) == (None, 1)
    player.press("right")
    assert player.game.record.episodes[0].actions == [1, 1]
    assert player.game.record.episodes[0].end == "terminated"
    player.press("return")
    player.press("u")
    assert player.game.record.episodes[1].actions == []
    assert (player.game.episode, player.game.step) == (2, 0)


def test_a_world_without_snapshots_takes_nothing_back():
    player = Player(Game("FrozenLake-v1", seed=0))
    player.press("1")
    player.press("u")
    assert player.game.step == 1
    assert not any("take back" in text for text in player.status().keys)
    limited = Game("CandyMaze-v0", {"max_episode_steps": 5}, seed=0)  # Gymnasium's wrapper counts for itself
    assert not limited.can_undo


def test_the_end_of_an_episode_is_said_and_waited_on():
    player = Player(Game("CandyMaze-v0", {"layout": "S.E\n...", "max_steps": 3}, seed=0))
    assert player.status().ending == ""
    player.press("right")
    player.press("right")
    assert player.status().ending == "The episode is over (terminated): return 9.95 in 2 steps"
    for key in ("left", "right", "space"):
        player.press(key)
    assert player.game.step == 2
    player.press("r")
    assert player.status().end is None
    for key in ("left", "left", "left"):
        player.press(key)
    assert player.status().ending.startswith("The time is up (truncated)")
    assert [episode.seed for episode in player.game.record.episodes] == [0, None]


def test_later_episodes_go_on_with_the_streams():
    """A seed of its own for every episode would begin anew what outlasts one, such as walls that change."""
    game = Game("CandyMaze-v0", {"layout": "S.#E\n....\n\nfrom step 3\nS..E\n...."}, seed=0)
    player = Player(game)
    first = game.picture()
    for key in ("right", "left", "left", "r"):
        player.press(key)
    assert not np.array_equal(game.picture(), first)  # the wall is gone in the new episode, too
    replay = Replay(game.record)
    assert replay.difference == ""
    while replay.forward():
        pass
    assert np.array_equal(replay.session.picture(), game.picture())


def test_the_other_episode_is_another_one_and_seeds_decide():
    games = [Game("Bandit-v0", {"law": "gaussian"}, seed=seed) for seed in (1, 1, 2, None, None)]
    for game in games:
        for _ in range(3):
            game.act(0)
        game.begin()
        for _ in range(3):
            game.act(0)
    rewards = [[episode.rewards for episode in game.record.episodes] for game in games]
    assert rewards[0] == rewards[1]
    assert len({str(one) for one in rewards}) == 4
    assert rewards[0][0] != rewards[0][1]
    assert games[3].record.episodes[0].seed == games[3].seed >= 0


# -------------------------------------------------------------------- numbers and clicks


def test_numbers_are_typed_and_entered():
    player = Player(Game("Bandit-v0", {"arms": 25}, seed=0))
    for keys, pulled in [("17", 17), ("3", 3), ("[2][4]", 24)]:
        for key in keys.replace("[2][4]", "24"):
            player.press(f"[{key}]" if "[" in keys else key)
        assert f"machine {pulled}_" in player.status().caption
        player.press("return" if pulled == 3 else "enter")
        assert player.game.record.episodes[0].actions[-1] == pulled
        assert player.status().caption == ""
    for key in ("9", "9", "9", "return"):
        player.press(key)
    assert player.status().caption == "There is no machine 99"
    for key in ("1", "backspace", "8", "return"):
        player.press(key)
    assert player.game.record.episodes[0].actions == [17, 3, 24, 8]
    for key in ("return", "1", "r", "return"):
        player.press(key)
    assert player.game.record.steps == 4  # a new episode forgets what was typed


def test_negative_numbers_can_be_typed():
    player = Player(Game(CORRIDOR, seed=0))
    for key in ("1", "return", "-", "1", "return", "-", "return"):
        player.press(key)
    assert player.game.record.episodes[0].actions == [1, -1]
    assert player.status().caption == "There is no action -"


def test_a_reward_that_is_not_finite(tmp_path):
    player = Player(Game(DOORS, seed=0))
    for key in ("4", "return", "1", "7", "return"):
        player.press(key)
    assert player.frame().shape[2] == 3
    write_record(tmp_path / "game.json", player.game.record)
    assert read_record(tmp_path / "game.json").episodes[0].rewards == [0.0, None]
    assert Replay(player.game.record).difference == ""


@pytest.mark.parametrize("arms", [2, 5, 12, 40])
def test_a_click_pulls_the_machine_that_is_there(arms):
    """The machine that was hit is the one with the yellow frame in the next picture."""
    player = Player(Game("Bandit-v0", {"arms": arms}, seed=0))
    yellow = np.array((240, 228, 66))
    for arm in {0, arms - 1, arms // 2}:
        player.click(_somewhere_on(arms, arm))
        assert player.game.record.episodes[0].actions[-1] == arm
        rows, columns = np.nonzero(np.abs(player.frame().astype(int) - yellow).max(axis=2) < 12)
        at = _somewhere_on(arms, arm)
        assert columns.min() < at[0] < columns.max()
        assert rows.min() < at[1] < rows.max()
    steps = player.game.step
    player.click((1, 1))
    assert player.game.step == steps


def _somewhere_on(arms, arm):
    """The middle of a machine by its place in rows of ten."""
    columns, row = min(arms, 10), arm // 10
    rows = -(-arms // 10)
    tall = max(112, 280 // rows)
    return round(10 + 940 / columns * (arm % 10 + 0.5)) - 6, 84 + 20 + row * (tall + 20) + tall // 2


def test_a_maze_has_nothing_to_click_on():
    player = Player(Game("CandyMaze-v0", seed=0))
    player.click((100, 100))
    assert player.game.record.steps == 0


# -------------------------------------------------------------------- what cannot be played


@pytest.mark.parametrize(
    ("name", "kwargs", "said"),
    [
        ("Pendulum-v1", {}, "not Discrete"),
        ("CandyMaze", {}, "did you mean CandyMaze-v0"),
        ("CandyMaze-v0", {"slipp": 1}, "did you mean slip"),
        ("FrozenLake-v1", {"nothing": 1}, "refuses its options"),
        ("FrozenLake-v1", {"map_name": "9x9"}, "refuses its options .*KeyError '9x9'"),
        ("tests/UnevenBandit-v0", {}, "draws no picture"),
    ],
)
def test_a_world_that_cannot_be_played(name, kwargs, said):
    import tests.agents.worlds  # noqa: F401  (registers UnevenBandit-v0)

    with pytest.raises(UsageError, match=said):
        Game(name, kwargs)


def test_a_negative_seed_and_a_world_that_only_says_that_it_draws():
    with pytest.raises(UsageError, match="seed=-1"):
        Game("CandyMaze-v0", seed=-1)
    session = Session(MUTE)
    session.begin(0)
    with pytest.raises(UsageError, match=r"render\(\) gave NoneType"):
        session.picture()


def test_our_pictures_outlive_a_world_that_ends_pygame():
    ours = Game("Bandit-v0", seed=0)
    before = ours.picture()
    theirs = Game(CORRIDOR, seed=0)
    theirs.picture()
    theirs.close()
    assert np.array_equal(ours.picture(), before)


# -------------------------------------------------------------------- a replay in both directions


def replay_of(*keys, **kwargs):
    player = Player(Game("CandyMaze-v0", {**ICE, **kwargs}, seed=2))
    for key in keys:
        player.press(key)
    return Replay(player.game.record)


def test_a_replay_goes_back_to_the_same_pictures():
    replay = replay_of("right", "down", "r", "down", "up", "r")
    seen = list(frames(replay))
    assert len(seen) == replay.length == 7
    assert not replay.forward()
    for place in reversed(range(6)):
        assert replay.back()
        assert np.array_equal(replay.frame(), seen[place]), place
    assert not replay.back()
    assert np.array_equal(replay.frame(), seen[0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda record: record.episodes[0].rewards.__setitem__(1, 7.0),
            "in step 2 of episode 1 it pays -0.125, and not 7.0",
        ),
        (lambda record: record.episodes[0].rewards.__setitem__(0, None), "in step 1 of episode 1 it pays"),
        (
            lambda record: setattr(record.episodes[1], "end", "terminated"),
            "episode 2 goes on where it was terminated",
        ),
        (
            lambda record: record.env_kwargs.update(max_steps=1),
            "in step 2 of episode 1 the episode is over already",
        ),
        (lambda record: record.env_kwargs.update(max_steps=2), "episode 1 is truncated where it went on"),
    ],
)
def test_a_replay_that_differs_says_where(change, said):
    record = replay_of("right", "down", "r", "down").record
    record.version = "0.0.1"
    change(record)
    replay = Replay(record)
    assert said in replay.difference
    assert "recorded with rlcourse 0.0.1, this is" in replay.difference
    assert len(list(frames(replay))) == replay.length  # it is shown all the same


def test_a_replay_of_a_map_that_is_gone(tmp_path):
    path = tmp_path / "map.txt"
    path.write_text("S.E")
    record = Game("CandyMaze-v0", {"layout": str(path)}, seed=0).record
    path.unlink()
    with pytest.raises(StorageError, match="the record cannot be replayed"):
        Replay(record)


# -------------------------------------------------------------------- in the window


@pytest.fixture
def screen(monkeypatch):
    """A screen that nobody sees; what is posted is what a person did."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    pygame.display.init()
    pygame.event.clear()
    yield lambda *events: [pygame.event.post(event) for event in events]
    pygame.display.quit()


def key(code, unicode=""):
    return pygame.event.Event(pygame.KEYDOWN, key=code, mod=0, unicode=unicode, scancode=0)


def test_a_game_in_the_window(screen):
    screen(
        key(pygame.K_RIGHT),
        key(pygame.K_s, "s"),
        pygame.event.Event(pygame.MOUSEMOTION, pos=(3, 3), rel=(0, 0), buttons=(0, 0, 0)),
        key(pygame.K_KP6, "6"),
        key(pygame.K_r, "r"),
        key(pygame.K_DOWN),
        key(pygame.K_ESCAPE),
        key(pygame.K_DOWN),
    )
    game = play(Game("CandyMaze-v0", seed=0))
    assert [episode.actions for episode in game.record.episodes] == [[1, 3, 1], [3]]
    assert not pygame.display.get_init()  # the window is closed


def test_a_bandit_in_the_window(screen):
    at = (round(10 + 940 / 10 * 3.5) - 6, 200)  # the fourth of ten machines
    screen(
        key(pygame.K_5, "5"),
        key(pygame.K_AMPERSAND, "1"),  # the key of the digit 1 on a French keyboard, with shift
        key(pygame.K_KP7, "7"),
        pygame.event.Event(pygame.MOUSEBUTTONDOWN, button=pygame.BUTTON_RIGHT, pos=at),
        pygame.event.Event(pygame.MOUSEBUTTONDOWN, button=pygame.BUTTON_LEFT, pos=at),
        pygame.event.Event(pygame.QUIT),
    )
    game = play(Game("Bandit-v0", seed=0))
    assert game.record.episodes[0].actions == [5, 1, 7, 3]


def test_what_was_played_is_kept_when_the_world_breaks(screen, monkeypatch):
    game = Game("CandyMaze-v0", seed=0)
    screen(key(pygame.K_RIGHT), key(pygame.K_DOWN))
    step = game.env.step

    def breaks(action):
        if action == 3:
            raise RuntimeError("broken")
        return step(action)

    monkeypatch.setattr(game.env, "step", breaks)
    with pytest.raises(RuntimeError, match="broken"):
        play(game)
    assert game.record.episodes[0].actions == [1]
    assert not pygame.display.get_init()


def test_no_display(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "no-such-driver")
    pygame.display.quit()
    with pytest.raises(UsageError, match="a window needs a display"):
        play(Game("CandyMaze-v0", seed=0))


def test_a_picture_larger_than_the_screen_is_shown_smaller_and_clicked_as_if_it_were_not(screen):
    window = Window("test")
    wide, high = pygame.display.get_desktop_sizes()[0]
    window.draw(np.zeros((2 * high, 2 * wide, 3), np.uint8))
    shown = pygame.display.get_window_size()
    assert shown[0] < wide
    assert shown[1] < high
    pygame.event.clear()
    screen(
        pygame.event.Event(
            pygame.MOUSEBUTTONDOWN, button=pygame.BUTTON_LEFT, pos=(shown[0] // 2, shown[1] // 2)
        )
    )
    (press,) = window.presses(0.0)
    assert press.at == pytest.approx((wide, high), abs=3)
    window.close()
