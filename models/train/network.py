"""fakesift-small: MobileNetV1 x 0.25 -> 96 features a frame; a bidirectional GRU over the frames -> one logit (fake > 0)."""
import torch
from torch import nn

FEATURES, HIDDEN = 96, 48
PLAN = [(8, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 128, 1),
        (128, 128, 1), (128, 128, 1), (128, 128, 1), (128, 256, 2), (256, 256, 1)]


def depthwise(i, o, stride):
    """The pretrained network's block; its leaky slope of 0.1 is kept."""
    return nn.Sequential(nn.Conv2d(i, i, 3, stride, 1, groups=i, bias=False), nn.BatchNorm2d(i), nn.LeakyReLU(0.1),
                         nn.Conv2d(i, o, 1, bias=False), nn.BatchNorm2d(o), nn.LeakyReLU(0.1))


class Frame(nn.Module):
    """(N, 3, 128, 128), ImageNet's normalisation -> (N, FEATURES)."""

    def __init__(self, dropout=0.2):
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.LeakyReLU(0.1))
        self.body = nn.Sequential(stem, *[depthwise(*p) for p in PLAN])
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.project = nn.Linear(256, FEATURES)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(FEATURES, 1)  # trains the frame stage; not exported

    def forward(self, x):
        x = self.pool(self.body(x))
        return torch.relu(self.project(self.dropout(x)))

    def load_imagenet(self, path):
        state = torch.load(path, map_location="cpu")["state_dict"]
        values = [v for k, v in state.items() if "fc" not in k]
        own = self.body.state_dict()
        has_counts = any("num_batches" in k for k in state)
        keys = [k for k in own if has_counts or "num_batches" not in k]
        assert len(keys) == len(values), (len(keys), len(values))
        for k, v in zip(keys, values):
            assert own[k].shape == v.shape, k
            own[k].copy_(v)


class Temporal(nn.Module):
    """(N, T, FEATURES) -> (N, 1): mean over time of both directions' states, so that any T >= 1 will do."""

    def __init__(self, dropout=0.3):
        super().__init__()
        self.gru = nn.GRU(FEATURES, HIDDEN, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(2 * HIDDEN, 1)

    def forward(self, x):
        y, _ = self.gru(x)
        return self.out(self.dropout(y.mean(1)))


def macs_of_frame(side):
    n, s = 3 * 8 * 9 * (side // 2) ** 2, side // 2
    for i, o, stride in PLAN:
        s //= stride
        n += (i * 9 + i * o) * s * s
    return n + 256 * FEATURES
