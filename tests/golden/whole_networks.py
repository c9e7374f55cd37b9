"""The networks that fakesift's users export, with random weights that behave as trained ones do: nothing vanishes, nothing is
constant. For check_networks.py. Needs Debian's python3-torch and python3-torchvision."""
import torch
import torchvision
from torch import nn


class Separable(nn.Sequential):
    """Xception's depthwise, then pointwise convolution (Chollet 2017)."""

    def __init__(self, n_in, n_out):
        super().__init__(nn.Conv2d(n_in, n_in, 3, padding=1, groups=n_in, bias=False),
                         nn.Conv2d(n_in, n_out, 1, bias=False), nn.BatchNorm2d(n_out))


class XceptionBlock(nn.Module):
    def __init__(self, n_in, n_out, repeats, stride, relu_first=True, grow_first=True):
        super().__init__()
        self.skip = None
        if n_out != n_in or stride != 1:
            self.skip = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride=stride, bias=False), nn.BatchNorm2d(n_out))
        widths = [n_in] + [n_out] * repeats if grow_first else [n_in] * repeats + [n_out]
        layers = []
        for i in range(repeats):
            layers += [nn.ReLU()] if i > 0 or relu_first else []
            layers += [Separable(widths[i], widths[i + 1])]
        layers += [nn.MaxPool2d(3, stride, 1)] if stride != 1 else []
        self.body = nn.Sequential(*layers)

    def forward(self, x):
        return self.body(x) + (self.skip(x) if self.skip else x)


class Xception(nn.Module):
    """As the detectors of FaceForensics++ have it (1000 classes: 22,855,952 parameters)."""

    def __init__(self, classes=1000):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 32, 3, stride=2, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
            nn.Conv2d(32, 64, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
            XceptionBlock(64, 128, 2, 2, relu_first=False), XceptionBlock(128, 256, 2, 2), XceptionBlock(256, 728, 2, 2),
            *[XceptionBlock(728, 728, 3, 1) for _ in range(8)],
            XceptionBlock(728, 1024, 2, 2, grow_first=False),
            Separable(1024, 1536), nn.ReLU(), Separable(1536, 2048), nn.ReLU())
        self.fc = nn.Linear(2048, classes)

    def forward(self, x):
        return self.fc(nn.functional.adaptive_avg_pool2d(self.features(x), 1).flatten(1))


class GroupScale(nn.Module):
    """timm's idioms that torchvision lacks: weight-standardised convolutions, GroupNorm, SiLU, squeeze and excitation by
    means, blur pooling by a constant depthwise filter with reflecting pads, LayerNorm over channels, a learnt GeM pool, relative
    positions looked up by index, everything with shapes taken from the input."""

    def __init__(self, classes=1000, width=64):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.norm0 = nn.GroupNorm(32, width)
        self.register_buffer("blur", (torch.tensor([1., 2., 1.])[:, None] * torch.tensor([1., 2., 1.])).div(16)
                             .expand(width, 1, 3, 3).contiguous())
        self.expand = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.norm1 = nn.GroupNorm(1, 4 * width)
        self.depth = nn.Conv2d(4 * width, 4 * width, 5, padding=2, groups=4 * width)
        self.squeeze = nn.Sequential(nn.Conv2d(4 * width, width, 1), nn.SiLU(), nn.Conv2d(width, 4 * width, 1))
        self.project = nn.Conv2d(4 * width, width, 1)
        self.layer_norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.table = nn.Parameter(torch.randn(15 * 15, 4))
        yx = torch.stack(torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")).flatten(1)
        d = (yx[:, :, None] - yx[:, None, :]) + 7
        self.register_buffer("index", d[0] * 15 + d[1])
        self.p = nn.Parameter(torch.tensor(3.0))
        self.fc = nn.Linear(width, classes)

    def standardised(self, w):
        return (w - w.mean((1, 2, 3), keepdim=True)) / (w.var((1, 2, 3), keepdim=True, unbiased=False) + 1e-5).sqrt() \
            / w[0].numel() ** .5

    def forward(self, x):
        f = nn.functional
        y = f.silu(self.norm0(f.conv2d(x, self.standardised(self.stem.weight), stride=2, padding=3)))
        y = f.conv2d(f.pad(y, (1, 1, 1, 1), mode="reflect"), self.blur, stride=2, groups=y.shape[1])
        z = f.silu(self.norm1(self.expand(y)))
        z = f.gelu(self.depth(z))
        z = z * torch.sigmoid(self.squeeze(z.mean((2, 3), keepdim=True)))
        y = y + self.project(z)
        y = f.interpolate(y, size=(8, 8), mode="bilinear", align_corners=False)
        n, c, h, w = y.shape
        t = self.layer_norm(y.flatten(2).transpose(1, 2))
        q, k, v = self.qkv(t).reshape(n, h * w, 3, 4, c // 4).permute(2, 0, 3, 1, 4).unbind(0)
        bias = self.table[self.index.view(-1)].view(h * w, h * w, 4).permute(2, 0, 1)
        a = ((q * (c // 4) ** -.5) @ k.transpose(-2, -1) + bias).softmax(-1)
        t = t + (a @ v).transpose(1, 2).reshape(n, h * w, c)
        y = t.transpose(1, 2).reshape(n, c, h, w)
        y = f.adaptive_avg_pool2d(y.clamp(min=1e-6).pow(self.p), 1).pow(1. / self.p).flatten(1)
        return self.fc(y)


class PreNormVideo(nn.Module):
    """R3D-18's frame features: space averaged, time kept."""

    def __init__(self, net):
        super().__init__()
        self.net = nn.Sequential(net.stem, net.layer1, net.layer2, net.layer3, net.layer4)

    def forward(self, x):  # N x T x C x H x W
        return self.net(x.transpose(1, 2)).mean((3, 4)).transpose(1, 2)


class Recurrent(nn.Module):
    """A detector over a clip: the network on each of T frames, an LSTM over its features, one score."""

    def __init__(self, net, features, per_clip=False):
        super().__init__()
        self.net, self.per_clip = net, per_clip
        self.lstm = nn.LSTM(features, 24, batch_first=True, bidirectional=True)
        for name, p in self.lstm.named_parameters():  # PyTorch's choice knows the hidden size alone, and saturates the gates
            if name.startswith("weight_ih"):
                nn.init.normal_(p, 0, features ** -.5)
        self.head = nn.Linear(48, 2)

    def forward(self, x):
        if self.per_clip:
            y = self.net(x)
        else:
            n, t = x.shape[:2]
            y = self.net(x.flatten(0, 1)).view(n, t, -1)
        y, _ = self.lstm(y)
        return self.head(y.mean(1))


def headless(net):
    """Takes the classifier off; the features' width."""
    if isinstance(net, torchvision.models.VisionTransformer):
        width, net.heads = net.heads[-1].in_features, nn.Identity()
    elif hasattr(net, "fc"):
        width, net.fc = net.fc.in_features, nn.Identity()
    elif hasattr(net, "head"):
        width, net.head = net.head.in_features, nn.Identity()
    elif isinstance(net.classifier, nn.Linear):
        width, net.classifier = net.classifier.in_features, nn.Identity()
    else:
        width, net.classifier[-1] = net.classifier[-1].in_features, nn.Identity()
    return width


# name: (make(size), native size, a smaller one for clips, parameters in millions and GMAC that torchvision documents, or the
# paper; inception without its auxiliary head)
M = torchvision.models
NETWORKS = {
    "resnet50": (lambda s: M.resnet50(), 224, 96, 25.557, 4.09),
    "efficientnet_b4": (lambda s: M.efficientnet_b4(), 380, 96, 19.342, 4.39),
    "mobilenet_v2": (lambda s: M.mobilenet_v2(), 224, 97, 3.505, .30),
    "mobilenet_v3_large": (lambda s: M.mobilenet_v3_large(), 224, 95, 5.483, .22),
    "densenet121": (lambda s: M.densenet121(), 224, 96, 7.979, 2.83),
    "inception_v3": (lambda s: M.inception_v3(init_weights=False), 299, 107, 23.835, 5.71),
    "convnext_tiny": (lambda s: M.convnext_tiny(), 224, 96, 28.589, 4.46),
    "vit_b_16": (lambda s: M.vit_b_16(image_size=s), 224, 64, 86.568, 17.56),
    "swin_t": (lambda s: M.swin_t(), 224, 100, 28.288, 4.49),
    "r3d_18": (lambda s: M.video.r3d_18(), 112, 48, 33.371, 40.70),
    "xception": (lambda s: Xception(), 299, 96, 22.856, 8.4),
    "groupscale": (lambda s: GroupScale(), 64, 40, None, None),
}


def pictures(*shape):
    """Random smooth fields with noise on them; each picture with its own contrast, so that outputs differ."""
    h, w = shape[-2:]
    n = 1
    for d in shape[:-2]:
        n *= d
    low = nn.functional.interpolate(torch.randn(1, n, 5, 5), size=(h, w), mode="bicubic", align_corners=False)[0]
    x = low * (.5 + torch.rand(n, 1, 1)) + .3 * torch.randn(n, h, w) + .5 * torch.randn(n, 1, 1)
    return x.view(shape)


def settle(norm, args):
    """Running statistics as those of what arrives, off by up to a quarter; what comes later sees what that makes."""
    x = args[0]
    dims = [0, *range(2, x.dim())]
    var, mean = torch.var_mean(x, dims, unbiased=False)
    std = (var + .1 * mean.square() + 1e-3).sqrt()
    norm.running_mean.copy_(mean + std * torch.empty_like(std).uniform_(-.25, .25))
    norm.running_var.copy_(std.square() * torch.empty_like(std).uniform_(.8, 1.25))


def randomise(net, example):
    """Weights that keep signals alive, and running statistics that fit them on `example`."""
    net.transform_input = False
    hooks = []
    for m in net.modules():
        if isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, 0, m.in_features ** -.5)
            if m.bias is not None:
                nn.init.normal_(m.bias, 0, .1)
        elif isinstance(m, (nn.Conv2d, nn.Conv3d)):
            nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
            if m.bias is not None:
                nn.init.normal_(m.bias, 0, .1)
        elif isinstance(m, nn.MultiheadAttention):
            nn.init.normal_(m.in_proj_weight, 0, m.embed_dim ** -.5)
            nn.init.normal_(m.in_proj_bias, 0, .1)
        elif isinstance(m, (nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm, nn.GroupNorm)):
            nn.init.normal_(m.weight, 1, .2)
            nn.init.normal_(m.bias, 0, .2)
        if isinstance(m, (nn.BatchNorm2d, nn.BatchNorm3d)):
            hooks.append(m.register_forward_pre_hook(settle))
    for name, p in net.named_parameters():
        if name.endswith("layer_scale"):  # ConvNeXt starts it at 1e-6, which would leave its blocks out
            nn.init.uniform_(p, .3, .8)
        if name.endswith(("relative_position_bias_table", "pos_embedding", "class_token")):
            nn.init.normal_(p, 0, .5)
    net.eval()
    with torch.no_grad():
        net(example)
    for hook in hooks:
        hook.remove()
    return net


def round_to_bf16(net):
    """What bf16 values between layers cost at least: weights and each layer's result rounded, sums in float32."""
    def hook(module, args, y):
        return tuple(map(hook.rounded, y)) if isinstance(y, tuple) else hook.rounded(y)

    hook.rounded = lambda v: v.bfloat16().float() if isinstance(v, torch.Tensor) else tuple(map(hook.rounded, v))
    for m in net.modules():
        if isinstance(m, (nn.Conv2d, nn.Conv3d, nn.Linear)):
            m.weight.data = m.weight.data.bfloat16().float()
        if not list(m.children()) and not isinstance(m, nn.LSTM):
            m.register_forward_hook(hook)
    return net
