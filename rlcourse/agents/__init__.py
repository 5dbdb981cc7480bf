"""The agents, by name. A new agent is one class and one line here; nothing loads before it is asked for.

from rlcourse.agents import make_agent, UCB1
agent = make_agent("ucb1", "rlcourse/Bandit-v0", seeds=100)
agent = UCB1("rlcourse/Bandit-v0", seeds=100)  # the same
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlcourse.errors import StorageError, UsageError, did_you_mean

if TYPE_CHECKING:
    from rlcourse.agents.base import Agent

_BANDITS = "rlcourse.agents.bandits."
_TABULAR = "rlcourse.agents.tabular."
_DEEP = "rlcourse.agents.deep."
_SB3 = "rlcourse.agents.baselines.algorithms:"

AGENTS: dict[str, str] = {
    "random": "rlcourse.agents.random:RandomAgent",
    "perfect_knowledge": _BANDITS + "reference:PerfectKnowledge",
    "epsilon_first": _BANDITS + "epsilon_first:EpsilonFirst",
    "epsilon_greedy": _BANDITS + "epsilon_greedy:EpsilonGreedy",
    "epsilon_decay": _BANDITS + "epsilon_greedy:EpsilonDecay",
    "optimistic_greedy": _BANDITS + "epsilon_greedy:OptimisticGreedy",
    "softmax": _BANDITS + "boltzmann:Softmax",
    "gradient_bandit": _BANDITS + "gradient:GradientBandit",
    "ucb": _BANDITS + "ucb:UCB",
    "ucb1": _BANDITS + "ucb:UCB1",
    "ucb_tuned": _BANDITS + "ucb_variance:UCBTuned",
    "ucb_v": _BANDITS + "ucb_variance:UCBV",
    "moss": _BANDITS + "moss:MOSS",
    "kl_ucb": _BANDITS + "kl_ucb:KLUCB",
    "bayes_ucb": _BANDITS + "bayes_ucb:BayesUCB",
    "imed": _BANDITS + "imed:IMED",
    "thompson": _BANDITS + "thompson:Thompson",
    "gaussian_thompson": _BANDITS + "thompson:GaussianThompson",
    "exp3": _BANDITS + "exp3:Exp3",
    "exp3_ix": _BANDITS + "exp3:Exp3IX",
    "tsallis_inf": _BANDITS + "tsallis_inf:TsallisINF",
    "discounted_ucb": _BANDITS + "forgetting:DiscountedUCB",
    "sliding_window_ucb": _BANDITS + "forgetting:SlidingWindowUCB",
    "discounted_thompson": _BANDITS + "discounted_thompson:DiscountedThompson",
    "exp3_s": _BANDITS + "exp3_s:Exp3S",
    "cusum_ucb": _BANDITS + "cusum_ucb:CUSUMUCB",
    "glr_kl_ucb": _BANDITS + "glr_kl_ucb:GLRKLUCB",
    "lin_ucb": _BANDITS + "linear:LinUCB",
    "lin_thompson": _BANDITS + "linear:LinThompson",
    "epsilon_greedy_ridge": _BANDITS + "linear:EpsilonGreedyRidge",
    "logistic_thompson": _BANDITS + "logistic:LogisticThompson",
    "neural_greedy": _DEEP + "neural_bandits:NeuralGreedy",
    "neural_thompson": _DEEP + "neural_thompson:NeuralThompson",
    "successive_elimination": _BANDITS + "best_arm:SuccessiveElimination",
    "sequential_halving": _BANDITS + "best_arm:SequentialHalving",
    "lucb": _BANDITS + "best_arm:LUCB",
    "monte_carlo": _TABULAR + "monte_carlo:MonteCarlo",
    "td_prediction": _TABULAR + "td_prediction:TDPrediction",
    "sarsa": _TABULAR + "sarsa:Sarsa",
    "expected_sarsa": _TABULAR + "expected_sarsa:ExpectedSarsa",
    "q_learning": _TABULAR + "q_learning:QLearning",
    "double_q_learning": _TABULAR + "double_q_learning:DoubleQLearning",
    "n_step_sarsa": _TABULAR + "n_step:NStepSarsa",
    "tree_backup": _TABULAR + "n_step:TreeBackup",
    "sarsa_lambda": _TABULAR + "traces:SarsaLambda",
    "q_lambda": _TABULAR + "traces:QLambda",
    "dyna_q": _TABULAR + "dyna:DynaQ",
    "dyna_q_plus": _TABULAR + "dyna:DynaQPlus",
    "prioritized_sweeping": _TABULAR + "prioritized_sweeping:PrioritizedSweeping",
    "tabular_actor_critic": _TABULAR + "actor_critic:TabularActorCritic",
    "tabular_reinforce": _TABULAR + "actor_critic:TabularReinforce",
    "value_iteration": _TABULAR + "planners:ValueIteration",
    "policy_iteration": _TABULAR + "planners:PolicyIteration",
    "finite_horizon": _TABULAR + "planners:FiniteHorizon",
    "minimax_q": _TABULAR + "minimax_q:MinimaxQ",
    "self_play": _TABULAR + "self_play:SelfPlay",
    "naive_dqn": _DEEP + "naive_dqn:NaiveDQN",
    "dqn": _DEEP + "dqn:DQN",
    "rainbow": _DEEP + "dqn:Rainbow",
    "deep_sarsa": _DEEP + "deep_sarsa:DeepSarsa",
    "drqn": _DEEP + "drqn:DRQN",
    "reinforce": _DEEP + "reinforce:Reinforce",
    "a2c": _DEEP + "actor_critic:A2C",
    "ppo": _DEEP + "ppo:PPO",
    "recurrent_a2c": _DEEP + "actor_critic:RecurrentA2C",
    "recurrent_ppo": _DEEP + "ppo:RecurrentPPO",
    "deep_self_play": _DEEP + "self_play:DeepSelfPlay",
    "sb3:dqn": _SB3 + "SB3DQN",
    "sb3:a2c": _SB3 + "SB3A2C",
    "sb3:ppo": _SB3 + "SB3PPO",
    "sb3:qrdqn": _SB3 + "SB3QRDQN",
    "sb3:recurrent_ppo": _SB3 + "SB3RecurrentPPO",
    "sb3:maskable_ppo": _SB3 + "SB3MaskablePPO",
}
"""Name -> "module:Class"."""

_CLASSES = {entry.split(":")[1]: entry for entry in AGENTS.values()}


def agent_class(name: str) -> type[Agent]:
    """The class that is registered under `name`.

    Raises:
        UsageError: there is none; the message names the nearest.
    """
    if not isinstance(name, str) or name not in AGENTS:
        raise UsageError(did_you_mean(str(name), AGENTS, kind="agent"))
    return _load(AGENTS[name])


def _load(entry: str) -> Any:
    module, attribute = entry.split(":")
    return getattr(importlib.import_module(module), attribute)


def make_agent(
    name: str,
    env: Any,
    *,
    seeds: int | list[int] = 1,
    env_kwargs: dict[str, Any] | None = None,
    **settings: Any,
) -> Agent:
    """A population of learners by name.

    Args:
        name: one of `AGENTS` (`rlcourse list agents` prints them).
        env: a world: an id (`"rlcourse/Bandit-v0"`, `"Bandit-v0"`), an `EnvSpec`, or an environment made from one.
        seeds: how many learners (seeds 0 .. S-1), or the list of their seeds.
        env_kwargs: options of the world.
        settings: fields of the agent's configuration.

    Raises:
        UsageError: an unknown name or setting, an impossible value, or a world that the agent cannot learn in.
    """
    return agent_class(name)(env, seeds=seeds, env_kwargs=env_kwargs, **settings)


def load_agent(folder: str | Path) -> Agent:
    """The agent that `save` wrote into `folder`, ready to `predict` and to go on learning. Runs no code of the file.

    Raises:
        StorageError: the folder holds no agent, or one that is truncated, altered or of a newer format.
    """
    from rlcourse.agents.storage import read_agent_folder

    manifest, arrays = read_agent_folder(folder)
    name = str(manifest.get("agent"))
    if name not in AGENTS:
        raise StorageError(f"{folder}: {did_you_mean(name, AGENTS, kind='agent')}")
    return agent_class(name).from_saved(manifest, arrays, folder)


def __getattr__(name: str) -> Any:
    if name in _CLASSES:
        return _load(_CLASSES[name])
    raise AttributeError(f"module 'rlcourse.agents' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_CLASSES})
