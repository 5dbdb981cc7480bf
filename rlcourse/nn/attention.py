"""Stacked self-attention over sequences `[S, B, T, D]`, and the transformer block around it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlcourse.errors import UsageError
from rlcourse.nn.activations import activation as activation_of
from rlcourse.nn.dropout import Dropout
from rlcourse.nn.initialise import draw_weights
from rlcourse.nn.linear import Linear
from rlcourse.nn.normalisation import LayerNorm
from rlcourse.nn.stack import Stacked, copied
from rlcourse.streams import Streams


def visible(steps: int, episode_start: Tensor | None, *, causal: bool = True) -> Tensor | None:
    """Which steps each step may attend to.

    Args:
        steps: T.
        episode_start: bool `[..., T]`, whether an episode begins with that step; no step attends to another episode.
        causal: no step attends to a later one.

    Returns:
        bool `[..., T, T]`, a row for each step that looks; `None` where every step may attend to all.
    """
    mask = None
    if causal:
        device = None if episode_start is None else episode_start.device
        mask = torch.ones(steps, steps, dtype=torch.bool, device=device).tril()
    if episode_start is not None:
        episode = episode_start.cumsum(-1)
        same = episode.unsqueeze(-1) == episode.unsqueeze(-2)
        mask = same if mask is None else same & mask
    return mask


class SelfAttention(Stacked):
    """Multi-head scaled dot-product attention of a sequence to itself: `[S, B, T, D]` in and out.

        head_j = softmax(Q_j K_j^T / sqrt(D / heads)) V_j,   y = [head_1 ... head_heads] W_out + b_out

    Source: Vaswani et al. (2017), "Attention is all you need".

    Args:
        size: members S.
        width: features D of a step.
        heads: how many; they share D evenly.
        causal: no step attends to a later one.
        law: how the weights are drawn, see `rlcourse.nn.initialise`.

    Raises:
        UsageError: the heads do not divide the width.
    """

    def __init__(
        self, size: int, width: int, heads: int, *, causal: bool = True, law: str = "xavier"
    ) -> None:
        super().__init__(size)
        if heads < 1 or width % heads:
            raise UsageError(f"heads={heads} must divide the width, {width}")
        self.width, self.heads, self.causal = width, heads, causal
        self.project = Linear(size, width, 3 * width, law=law)
        self.out = Linear(size, width, width, law=law)

    def forward(self, x: Tensor, episode_start: Tensor | None = None) -> Tensor:
        """Attend.

        Args:
            x: `[S, B, T, D]`.
            episode_start: bool `[S, B, T]`, see `visible`.
        """
        S, B, T, D = x.shape
        per_head = self.project(x).reshape(S * B, T, 3, self.heads, D // self.heads)
        q, k, v = per_head.permute(2, 0, 3, 1, 4)
        if episode_start is None:
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        else:
            mask = visible(T, episode_start.reshape(S * B, T), causal=self.causal)
            assert mask is not None
            y = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask.unsqueeze(1))
        return self.out(y.transpose(1, 2).reshape(S, B, T, D))

    def member(self, k: int) -> Attending:
        """See `Stacked.member`."""
        one = nn.MultiheadAttention(self.width, self.heads, batch_first=True).to(self.project.weight)
        _copy_attention(self, one, k)
        return Attending(one, self.causal)


class TransformerBlock(Stacked):
    """Attention and a hidden layer, each with a residual around it and normalised before: `[S, B, T, D]` in and out.

        x <- x + attention(norm(x)),   x <- x + W_2 f(W_1 norm(x))

    Source: Vaswani et al. (2017); normalised before rather than after, Xiong et al. (2020), "On layer normalization in the
    transformer architecture".

    Args:
        size: members S.
        width: features D of a step.
        heads: of the attention.
        hidden: units of the hidden layer; `None` is 4 D.
        activation: f, "gelu" or "relu".
        dropout: probability, of what each of the two adds and of the hidden units.
        causal: no step attends to a later one.

    Raises:
        UsageError: see `SelfAttention`; or an activation that torch's own block does not have.
    """

    def __init__(
        self,
        size: int,
        width: int,
        heads: int,
        *,
        hidden: int | None = None,
        activation: str = "gelu",
        dropout: float = 0.0,
        causal: bool = True,
    ) -> None:
        super().__init__(size)
        if activation not in ("gelu", "relu"):
            raise UsageError(f"activation={activation!r} of a transformer block must be 'gelu' or 'relu'")
        self.name, self.hidden = activation, 4 * width if hidden is None else hidden
        self.norm1, self.norm2 = LayerNorm(size, width), LayerNorm(size, width)
        self.attention = SelfAttention(size, width, heads, causal=causal)
        self.linear1 = Linear(size, width, self.hidden, law="xavier")
        self.linear2 = Linear(size, self.hidden, width, law="xavier")
        self.activation = activation_of(activation)
        self.dropout = Dropout(size, dropout)

    def forward(self, x: Tensor, episode_start: Tensor | None = None) -> Tensor:
        """See the class and `SelfAttention.forward`."""
        x = x + self.dropout(self.attention(self.norm1(x), episode_start))
        hidden = self.dropout(self.activation(self.linear1(self.norm2(x))))
        return x + self.dropout(self.linear2(hidden))

    def member(self, k: int) -> Attending:
        """See `Stacked.member`."""
        one = nn.TransformerEncoderLayer(
            self.attention.width,
            self.attention.heads,
            self.hidden,
            dropout=self.dropout.p,
            activation=self.name,
            batch_first=True,
            norm_first=True,
        ).to(self.linear1.weight)
        _copy_attention(self.attention, one.self_attn, k)
        one.self_attn.dropout = 0.0  # torch's block drops attention weights too
        with torch.no_grad():
            for name in ("linear1", "linear2", "norm1", "norm2"):
                part = getattr(self, name).member(k)
                getattr(one, name).load_state_dict(part.state_dict())
        return Attending(one, self.attention.causal)


class PositionalEmbedding(Stacked):
    """A learned vector for every place in the sequence, added to what stands there: `[S, B, T, D]` in and out.

    Args:
        size: members S.
        length: the longest sequence.
        width: features D of a step.
        gain: standard deviation at the start; 0.02 is that of GPT-2 (Radford et al. 2019).
    """

    def __init__(self, size: int, length: int, width: int, *, gain: float = 0.02) -> None:
        super().__init__(size)
        self.length, self.width, self.gain = length, width, gain
        self.weight = nn.Parameter(torch.zeros(size, length, width))

    def draw(self, streams: Streams) -> None:
        """See `Stacked.draw`."""
        draw_weights(self.weight, streams, "he", fan_in=1, fan_out=self.width, gain=self.gain)

    def forward(self, x: Tensor) -> Tensor:
        """See the class.

        Raises:
            UsageError: the sequence is longer than `length`.
        """
        if x.shape[2] > self.length:
            raise UsageError(
                f"a sequence of {x.shape[2]} steps is longer than the {self.length} places there are"
            )
        return x + self.weight[:, None, : x.shape[2]]

    def member(self, k: int) -> Placed:
        """See `Stacked.member`."""
        return Placed(copied(self.weight, k))


class Attending(nn.Module):
    """One member: torch's own attention or transformer layer, with the mask that ours makes of the episodes.

    Args:
        layer: `nn.MultiheadAttention` or `nn.TransformerEncoderLayer`, batch first.
        causal: no step attends to a later one.
    """

    def __init__(self, layer: nn.MultiheadAttention | nn.TransformerEncoderLayer, causal: bool) -> None:
        super().__init__()
        self.layer, self.causal = layer, causal

    def forward(self, x: Tensor, episode_start: Tensor | None = None) -> Tensor:
        """`[B, T, D]` in and out; `episode_start` bool `[B, T]`."""
        mask = visible(x.shape[1], episode_start, causal=self.causal)
        layer = self.layer
        attention = layer.self_attn if isinstance(layer, nn.TransformerEncoderLayer) else layer
        if mask is not None:
            mask = ~mask  # torch's modules take what may not be seen
            if mask.dim() == 3:
                mask = mask.repeat_interleave(attention.num_heads, dim=0)
        if isinstance(layer, nn.TransformerEncoderLayer):
            y: Tensor = layer(x, src_mask=mask)
        else:
            y = layer(x, x, x, attn_mask=mask, need_weights=False)[0]
        return y


class Placed(nn.Module):
    """One member of `PositionalEmbedding`.

    Args:
        weight: `[length, D]`.
    """

    def __init__(self, weight: nn.Parameter) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, x: Tensor) -> Tensor:
        """`[B, T, D]` in and out."""
        return x + self.weight[: x.shape[1]]


def _copy_attention(ours: SelfAttention, theirs: nn.MultiheadAttention, k: int) -> None:
    """The weights of member `k` into torch's module."""
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.project.weight[k].T)
        assert ours.project.bias is not None
        theirs.in_proj_bias.copy_(ours.project.bias[k, 0])
        theirs.out_proj.load_state_dict(ours.out.member(k).state_dict())
