"""The networks: MobileNetV2 up to its blocks of 160 channels -> features and a logit of each frame; a bidirectional GRU
over a clip's features and their changes, which corrects the mean of the frames' logits.

Normalisations are folded into the convolutions (backbone.py), so training and use compute the same, and a CPU trains a
third faster."""
import torch
from torch import nn
import torch.nn.functional as F

SIDE, MARGIN = 144, 1.25 # of the crop, in pixels and as the card's crop.margin
CLIPS, FRAMES = 3, 16    # of a video, and of a clip
FEATURES, HIDDEN = 64, 48
# expansion, channels, blocks, stride (Sandler et al. 2018, table 2), without the last stage of 320
STAGES = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2)]
BLOCKS = sum(s[2] for s in STAGES)


class Conv(nn.Conv2d):
    """Stride 2 pads as TensorFlow's 'same' does: below and to the right where the side is even."""

    def forward(self, x):
        if self.kernel_size[0] == 3 and self.stride[0] == 2 and x.shape[2] % 2 == 0:
            return F.conv2d(F.pad(x, (0, 1, 0, 1)), self.weight, self.bias, 2, 0, 1, self.groups)
        return F.conv2d(x, self.weight, self.bias, self.stride, self.kernel_size[0] // 2, 1, self.groups)


class Block(nn.Module):
    def __init__(self, i, o, stride, expansion):
        super().__init__()
        n = i * expansion
        self.expand = Conv(i, n, 1) if expansion > 1 else None
        self.depthwise, self.project = Conv(n, n, 3, stride, groups=n), Conv(n, o, 1)
        self.residual = stride == 1 and i == o

    def forward(self, x):
        y = torch.relu(self.expand(x)) if self.expand is not None else x
        y = self.project(torch.relu(self.depthwise(y)))
        return x + y if self.residual else y


class Frame(nn.Module):
    """(N, 3, SIDE, SIDE), 0..1 -> (N, FEATURES + 1): the last is the frame's logit (fake > 0)."""

    def __init__(self, dropout=0.2):
        super().__init__()
        body, i = [Conv(3, 32, 3, 2), nn.ReLU()], 32
        for expansion, channels, blocks, stride in STAGES:
            for k in range(blocks):
                body.append(Block(i, channels, stride if k == 0 else 1, expansion))
                i = channels
        self.body = nn.Sequential(*body)
        self.project = nn.Linear(i, FEATURES)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(FEATURES, 1)

    def forward(self, x):
        x = torch.relu(self.project(self.dropout(self.body(x).mean((2, 3)))))
        return torch.cat([x, self.head(x)], 1)


class Temporal(nn.Module):
    """(N, T, FEATURES + 1) -> (N, 1): the mean of the frames' logits and what the GRU adds to it, learnt from 0 and bounded,
    so that it can correct the frames' mean and not replace it."""

    def __init__(self, dropout=0.3):
        super().__init__()
        n = 2 * (FEATURES + 1)
        self.inner = nn.Linear(n, HIDDEN)
        self.gru = nn.GRU(HIDDEN, HIDDEN, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(2 * HIDDEN, 1)
        self.register_buffer("mean", torch.zeros(n)), self.register_buffer("scale", torch.ones(n))
        nn.init.zeros_(self.out.weight), nn.init.zeros_(self.out.bias)

    def sequence(self, x):
        """The features and how they change from frame to frame, by amount."""
        before = torch.cat([x[:, :1], x[:, :-1]], 1)
        return torch.cat([x, (x - before).abs()], 2)

    def load_scale(self, x):
        """x: (..., T, FEATURES + 1), features of training clips."""
        s = self.sequence(x.reshape(-1, *x.shape[-2:])).flatten(0, 1)
        self.mean.copy_(s.mean(0)), self.scale.copy_(1 / (s.std(0) + 1e-3))

    def forward(self, x):
        y = self.dropout((self.sequence(x) - self.mean) * self.scale)
        y, _ = self.gru(torch.relu(self.inner(y)))
        self.correction = 3 * torch.tanh(self.out(self.dropout(y.mean(1))))
        return x[:, :, FEATURES:].mean(1) + self.correction
