"""The models of models/*.rank in PyTorch.

The rule that ties the two: a module's state_dict uses rankc's names letter for letter. A table or
a param is an nn.Parameter of that name; `score = mlp(...)` is a ModuleList called `score`, whose
entry i is the i-th layer that statement makes. A batch is a dict of tensors under the names of
inputs and labels; a ragged input is padded and comes with NAME.length. forward() returns the
outputs and the loss.
"""
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


# -- Layers ----------------------------------------------------------------------------------------

class Mlp(nn.ModuleList):
    """Linear layers over the last axis, an activation between them; width 1 drops the axis."""

    def __init__(self, width, *widths, act=F.relu):
        sizes = (width,) + widths
        super().__init__(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        self.act = act

    def forward(self, x):
        for i, layer in enumerate(self):
            x = layer(x if i == 0 else self.act(x))
        return x.squeeze(-1)


class Slope(nn.Module):
    """PReLU with one slope for everything, a scalar."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.25))

    def forward(self, x):
        return torch.where(x > 0, x, self.weight * x)


class SlopeMlp(nn.Sequential):
    """Linear layers with a Slope between them: linear 0, slope 1, linear 2, ..."""

    def __init__(self, width, *widths):
        layers = []
        for a, b in zip((width,) + widths, widths):
            layers += [nn.Linear(a, b), Slope()]
        super().__init__(*layers[:-1])

    def forward(self, x):
        return super().forward(x).squeeze(-1)


class Dice(nn.Module):
    """DIN's activation; PyTorch's batch_norm keeps the statistics."""

    def __init__(self, width):
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def forward(self, x):
        p = torch.sigmoid(F.batch_norm(x, self.running_mean, self.running_var,
                                       training=self.training, momentum=0.1, eps=1e-8))
        return p * x + (1 - p) * self.alpha * x


class Norm(nn.Module):
    """nn.BatchNorm1d without its count of batches, which rankc does not have."""

    def __init__(self, width):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def forward(self, x):
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias,
                            training=self.training, momentum=0.1, eps=1e-5)


def table(rows, *shape):
    return nn.Parameter(torch.zeros(rows, *shape))


def pairs(x):
    """Inner products x_f . x_g summed over f != g, twice each pair; x is [B, F, D]."""
    total = x.sum(1)
    return (total * total).sum(1) - (x * x).sum((1, 2))


def below(n):
    """The index pairs (1,0) (2,0) (2,1) (3,0) ..."""
    return torch.tril_indices(n, n, -1)


def present(batch, name):
    """[B, L]: which positions of a padded ragged input exist."""
    length = batch[name + ".length"]
    return torch.arange(batch[name].shape[1])[None, :] < length[:, None]


def masked_softmax(x, mask, dim=-1):
    """Softmax over the positions in the mask; over none of them it is all zeros."""
    top = x.masked_fill(~mask, -math.inf).amax(dim, keepdim=True).clamp(min=-1e30)
    weight = torch.exp(x.masked_fill(~mask, -math.inf) - top)
    return weight / weight.sum(dim, keepdim=True).clamp(min=1e-30)


def bce(logit, label):
    return F.binary_cross_entropy_with_logits(logit, label)


class Ftrl(torch.optim.Optimizer):
    """FTRL-Proximal, per coordinate (McMahan et al. 2013, algorithm 1), from weights that need not be 0."""

    def __init__(self, params, lr=0.1, beta=1.0, l1=0.0, l2=0.0):
        super().__init__(params, dict(lr=lr, beta=beta, l1=l1, l2=l2))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, l1 = group["lr"], group["l1"]
            for w in group["params"]:
                state = self.state[w]
                if not state:
                    state["z"], state["n"] = torch.zeros_like(w), torch.zeros_like(w)
                z, n = state["z"], state["n"]
                first = -w * (group["beta"] / lr + group["l2"]) - w.sign() * l1
                z.copy_(torch.where(n > 0, z, first))
                grown = n + w.grad * w.grad
                z += w.grad - (grown.sqrt() - n.sqrt()) / lr * w
                n.copy_(grown)
                shrunk = (z - z.sign() * l1) / ((group["beta"] + n.sqrt()) / lr + group["l2"])
                w.copy_(torch.where(z.abs() <= l1, torch.zeros_like(w), -shrunk))


# -- One vocabulary per field, and numbers ---------------------------------------------------------

class Fields(nn.Module):
    """Base of the models over `field` and `dense`: sizes, random batches, and Adam."""
    ids, sparse = "field", False

    def __init__(self, sizes=(1000, 500, 200), dense=3, width=16):
        super().__init__()
        self.sizes, self.dense, self.width = tuple(sizes), dense, width
        start = torch.tensor(np.cumsum((0,) + self.sizes[:-1]))
        self.register_buffer("start", start, persistent=False)

    def optimizer(self, params):
        return torch.optim.Adam(params, lr=1e-3)

    def rows(self, name, batch):
        """Rows of a table: a field's ids count from where its part of the table starts."""
        rows, ids = getattr(self, name), batch[self.ids] + self.start
        return F.embedding(ids, rows, sparse=self.sparse) if rows.dim() == 2 else rows[ids]

    def weights(self, batch):
        """The linear part: b + sum w[field] + sum k * dense."""
        return self.b + self.rows("w", batch).flatten(1).sum(1) + batch["dense"] @ self.k

    def linear_part(self):
        self.w = table(sum(self.sizes))
        self.k, self.b = nn.Parameter(torch.zeros(self.dense)), nn.Parameter(torch.zeros(()))

    def random(self, rng, n):
        columns = [rng.integers(0, size, n) for size in self.sizes]
        for column in columns:  # half of them from few ids, so that rows repeat within a batch
            column[: n // 2] %= 7
        return {self.ids: np.stack(columns, 1).astype(np.int64),
                "dense": rng.normal(size=(n, self.dense)).astype(np.float32),
                "click": (rng.random(n) < 0.3).astype(np.float32)}

    def forward(self, batch):
        logit = self.logits(batch)
        return {"ctr": torch.sigmoid(logit)}, bce(logit, batch["click"])


class Lr(Fields):
    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.linear_part()

    def optimizer(self, params):
        return Ftrl(params, lr=0.1)

    def logits(self, batch):
        return self.weights(batch)


class Fm(Fields):
    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.v = table(sum(self.sizes), self.width)
        self.linear_part()

    def logits(self, batch):
        return self.weights(batch) + pairs(self.rows("v", batch)) / 2


class Ffm(Fields):
    def __init__(self, width=4, **sizes):
        super().__init__(width=width, **sizes)
        self.v = table(sum(self.sizes), len(self.sizes), width)
        self.linear_part()

    def optimizer(self, params):
        return torch.optim.Adagrad(params, lr=0.05, eps=1e-10)

    def logits(self, batch):
        e = self.rows("v", batch)
        f, g = below(len(self.sizes))
        return self.weights(batch) + (e[:, f, g] * e[:, g, f]).sum((1, 2))


class Fwfm(Fields):
    def __init__(self, **sizes):
        super().__init__(**sizes)
        count = len(self.sizes)
        self.v = table(sum(self.sizes), self.width)
        self.r = nn.Parameter(torch.ones(count * (count - 1) // 2))
        self.linear_part()

    def logits(self, batch):
        e = self.rows("v", batch)
        f, g = below(len(self.sizes))
        return self.weights(batch) + (e[:, f] * e[:, g]).sum(2) @ self.r


class DeepFm(Fm):
    def __init__(self, hidden=(400, 400), **sizes):
        super().__init__(**sizes)
        self.deep = Mlp(len(self.sizes) * self.width + self.dense, *hidden, 1)

    def logits(self, batch):
        e = self.rows("v", batch)
        deep = self.deep(torch.cat([e.flatten(1), batch["dense"]], 1))
        return self.weights(batch) + pairs(e) / 2 + deep


class WideDeep(Fields):
    def __init__(self, crosses=10000, **sizes):
        super().__init__(**sizes)
        rows = sum(self.sizes)
        self.v, self.w, self.c = table(rows, self.width), table(rows), table(crosses)
        self.b = nn.Parameter(torch.zeros(()))
        self.deep = Mlp(len(self.sizes) * self.width + self.dense, 256, 128, 64, 1)

    def random(self, rng, n):
        return {"cross": rng.integers(0, len(self.c), n), **super().random(rng, n)}

    def logits(self, batch):
        wide = self.b + self.rows("w", batch).sum(1) + self.c[batch["cross"]]
        deep = torch.cat([self.rows("v", batch).flatten(1), batch["dense"]], 1)
        return wide + self.deep(deep)


class DcnV2(Fields):
    def __init__(self, **sizes):
        super().__init__(**sizes)
        n = len(self.sizes) * self.width + self.dense
        self.v = table(sum(self.sizes), self.width)
        self.x1, self.x2, self.x3 = Mlp(n, n), Mlp(n, n), Mlp(n, n)
        self.deep, self.logit = Mlp(n, 256, 128), Mlp(n + 128, 1)

    def logits(self, batch):
        x0 = x = torch.cat([self.rows("v", batch).flatten(1), batch["dense"]], 1)
        for layer in self.x1, self.x2, self.x3:
            x = x0 * layer(x) + x
        return self.logit(torch.cat([x, F.relu(self.deep(x0))], 1))


class Dlrm(Fields):
    def __init__(self, **sizes):
        super().__init__(**sizes)
        n = len(self.sizes) + 1
        self.v = table(sum(self.sizes), self.width)
        self.bottom = Mlp(self.dense, 64, 32, self.width)
        self.logit = Mlp(self.width + n * (n - 1) // 2, 64, 32, 1)

    def logits(self, batch):
        bottom = F.relu(self.bottom(batch["dense"]))
        z = torch.cat([self.rows("v", batch), bottom[:, None]], 1)
        f, g = below(z.shape[1])
        return self.logit(torch.cat([bottom, (z[:, f] * z[:, g]).sum(2)], 1))


class Afm(Fields):
    def __init__(self, attention=16, **sizes):
        super().__init__(**sizes)
        self.v, self.p = table(sum(self.sizes), self.width), nn.Parameter(torch.zeros(self.width))
        self.u = nn.Parameter(torch.zeros(attention, self.width))
        self.c, self.q = (nn.Parameter(torch.zeros(attention)) for _ in range(2))
        self.w, self.b = table(sum(self.sizes)), nn.Parameter(torch.zeros(()))

    def logits(self, batch):
        e = self.rows("v", batch)
        f, g = below(len(self.sizes))
        pair = e[:, f] * e[:, g]
        weight = torch.softmax(F.relu(pair @ self.u.T + self.c) @ self.q, 1)
        linear = self.b + self.rows("w", batch).sum(1)
        return linear + (weight[:, :, None] * pair).sum(1) @ self.p


class Interact(nn.Module):
    """Self-attention over fields with `heads` heads of width/heads, and a residual."""

    def __init__(self, width, heads):
        super().__init__()
        for name in "query", "key", "value", "own":
            setattr(self, name, nn.Parameter(torch.zeros(heads, width // heads, width)))

    def forward(self, e):
        query, key, value, own = (torch.einsum("hkd,bfd->bfhk", w, e)
                                  for w in (self.query, self.key, self.value, self.own))
        near = torch.softmax(torch.einsum("bfhk,bghk->bfgh", query, key), 2)
        mix = torch.einsum("bfgh,bghk->bfhk", near, value)
        return F.relu(mix + own).flatten(2)


class AutoInt(Fields):
    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.v = table(sum(self.sizes), self.width)
        self.e = nn.ModuleList(Interact(self.width, 2) for _ in range(2))
        self.out = nn.Parameter(torch.zeros(len(self.sizes), self.width))
        self.b = nn.Parameter(torch.zeros(()))

    def logits(self, batch):
        e = self.e[1](self.e[0](self.rows("v", batch)))
        return self.b + (self.out * e).sum((1, 2))


# -- Click and conversion --------------------------------------------------------------------------

class Funnel(Fields):
    """Base of the models with a click and a conversion, over `cat` and `dense`."""
    ids = "cat"

    def __init__(self, sizes=(100, 50, 40), dense=6, width=8):
        super().__init__(sizes, dense, width)
        self.emb, self.inputs = table(sum(sizes), width), len(sizes) * width + dense

    def random(self, rng, n):
        batch = super().random(rng, n)
        return {**batch, "conversion": batch["click"] * (rng.random(n) < 0.4).astype(np.float32)}

    def shared(self, batch):
        return torch.cat([self.rows("emb", batch).flatten(1), batch["dense"]], 1)


class ExpertLinear(nn.Module):
    """A linear layer for each of some experts: [B, in] to [B, experts, out]."""

    def __init__(self, width, experts, out):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(experts, out, width))
        self.bias = nn.Parameter(torch.zeros(experts, out))

    def forward(self, x):
        return torch.einsum("eox,bx->beo", self.weight, x) + self.bias


class Mmoe(Funnel):
    def __init__(self, experts=4, units=64, **sizes):
        super().__init__(**sizes)
        self.expert = nn.ModuleList([ExpertLinear(self.inputs, experts, units)])
        self.click_logit, self.cc_logit = (
            nn.ModuleList([nn.Linear(self.inputs, experts), nn.Linear(units, 32), nn.Linear(32, 1)])
            for _ in range(2))

    def forward(self, batch):
        x = self.shared(batch)
        expert = F.relu(self.expert[0](x))

        def task(layers):
            gate, hidden, out = layers
            mix = torch.einsum("be,beu->bu", torch.softmax(gate(x), 1), expert)
            return out(F.relu(hidden(mix))).squeeze(-1)

        click, both = task(self.click_logit), task(self.cc_logit)
        return ({"ctr": torch.sigmoid(click), "ctcvr": torch.sigmoid(both)},
                bce(click, batch["click"]) + bce(both, batch["conversion"]))


class Esmm(Funnel):
    def __init__(self, hidden=(256, 128), **sizes):
        super().__init__(**sizes)
        self.click_logit, self.cc_logit = (Mlp(self.inputs, *hidden, 1) for _ in range(2))

    def logits(self, batch):
        x = self.shared(batch)
        return self.click_logit(x), self.cc_logit(x)

    def forward(self, batch):
        click, both = self.logits(batch)
        ctr, ctcvr = torch.sigmoid(click), torch.sigmoid(both)
        return ({"ctr": ctr, "ctcvr": ctcvr, "cvr": ctcvr / ctr.clamp(min=1e-6)},
                bce(click, batch["click"]) + bce(both, batch["conversion"]))


class EsmmProduct(Funnel):
    def __init__(self, hidden=(256, 128), **sizes):
        super().__init__(**sizes)
        self.click_logit, self.cvr_logit = (Mlp(self.inputs, *hidden, 1) for _ in range(2))

    def forward(self, batch):
        x = self.shared(batch)
        a, b, y = self.click_logit(x), self.cvr_logit(x), batch["conversion"]
        s = F.logsigmoid(a) + F.logsigmoid(b)
        rest = torch.where(s < -0.7, torch.log1p(-torch.exp(s.clamp(max=-0.7))),
                           torch.log(-torch.expm1(s.clamp(min=-0.7))))
        return ({"ctr": torch.sigmoid(a), "cvr": torch.sigmoid(b), "ctcvr": torch.exp(s)},
                bce(a, batch["click"]) - (y * s + (1 - y) * rest).mean())


# -- Histories -------------------------------------------------------------------------------------

class History(nn.Module):
    """Base of the models over a candidate `item` and the ragged `hist`. In random batches the
    places beyond a history's length hold ids too: nothing may read them."""
    sparse = False

    def __init__(self, items=2000, width=32, longest=50):
        super().__init__()
        self.width, self.longest, self.ads = width, longest, table(items, width)

    def optimizer(self, params):
        return torch.optim.Adam(params, lr=1e-3)

    def random(self, rng, n):
        length = rng.integers(0, self.longest + 1, n)
        length[:3] = 0, 1, self.longest
        hist = rng.integers(0, len(self.ads), (n, self.longest))
        hist[: n // 2] %= 11  # the same id many times in one history, and in many histories
        item = np.where(rng.random(n) < 0.5, hist[:, 0], rng.integers(0, len(self.ads), n))
        return {"item": item, "hist": hist, "hist.length": length,
                "click": (rng.random(n) < 0.3).astype(np.float32)}

    def embed(self, ids):
        return F.embedding(ids, self.ads, sparse=self.sparse)

    def forward(self, batch):
        logit = self.logits(batch)
        return {"ctr": torch.sigmoid(logit)}, bce(logit, batch["click"])


class Din(History):
    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.score, self.logit = Mlp(4 * self.width, 80, 40, 1), Mlp(2 * self.width, 200, 80, 1)

    def logits(self, batch):
        t, h = self.embed(batch["item"]), self.embed(batch["hist"])
        each = t[:, None].expand_as(h)
        score = self.score(torch.cat([h, each, h - each, h * each], 2))
        weight = masked_softmax(score, present(batch, "hist"))
        return self.logit(torch.cat([(weight[:, :, None] * h).sum(1), t], 1))


class DinPaper(History):
    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.score = SlopeMlp(3 * self.width, 36, 1)
        self.logit = SlopeMlp(2 * self.width, 200, 80, 1)

    def logits(self, batch):
        t, h = self.embed(batch["item"]), self.embed(batch["hist"])
        each = t[:, None].expand_as(h)
        score = self.score(torch.cat([h, h * each, each], 2)) * present(batch, "hist")
        return self.logit(torch.cat([(score[:, :, None] * h).sum(1), t], 1))


class DinDice(History):
    """The scores' layers see only clicks that are there: they count in the batch's statistics."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        w = self.width
        self.score = nn.Sequential(nn.Linear(3 * w, 36), Dice(36), nn.Linear(36, 1))
        self.logit = nn.Sequential(nn.Linear(2 * w, 200), Dice(200), nn.Linear(200, 80), Dice(80),
                                   nn.Linear(80, 1))

    def logits(self, batch):
        t, h = self.embed(batch["item"]), self.embed(batch["hist"])
        each, mask = t[:, None].expand_as(h), present(batch, "hist")
        rows = self.score(torch.cat([h, h * each, each], 2)[mask])
        score = torch.zeros(mask.shape, dtype=rows.dtype).masked_scatter(mask, rows.squeeze(-1))
        return self.logit(torch.cat([(score[:, :, None] * h).sum(1), t], 1)).squeeze(-1)

    def forward(self, batch):
        ctr = torch.sigmoid(self.eval().logits(batch))  # predictions come from running statistics
        return {"ctr": ctr}, bce(self.train().logits(batch), batch["click"])


class Block(nn.ModuleList):
    """Causal self-attention, then two linear layers, each after a layer norm, beside a residual."""

    def __init__(self, width):
        kinds = [nn.LayerNorm, *[nn.Linear] * 3, nn.LayerNorm, *[nn.Linear] * 2]
        super().__init__(kind(width, width) if kind is nn.Linear else kind(width) for kind in kinds)

    def forward(self, x, mask):
        norm, query, key, value, norm_after, up, down = self
        y = norm(x)
        near = query(y) @ key(y).transpose(1, 2) / math.sqrt(x.shape[2])
        x = x + masked_softmax(near, mask) @ value(y)
        return x + down(F.relu(up(norm_after(x))))


class SasRec(History):
    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.place = nn.Parameter(torch.zeros(self.longest, self.width))
        self.s1, self.s2 = Block(self.width), Block(self.width)
        self.state = nn.ModuleList([nn.LayerNorm(self.width)])

    def logits(self, batch):
        here, place = present(batch, "hist"), torch.arange(self.longest)
        mask = here[:, None, :] & (place[None, :] <= place[:, None])[None]
        x = self.s2(self.s1(self.embed(batch["hist"]) + self.place, mask), mask)
        last = place == batch["hist.length"][:, None] - 1
        state = (self.state[0](x) * last[:, :, None]).sum(1)
        return (state * self.embed(batch["item"])).sum(1)


# -- Retrieval -------------------------------------------------------------------------------------

class TwoTower(nn.Module):
    def __init__(self, user=16, ad=12, hidden=(256, 128, 64), width=128):
        super().__init__()
        self.inputs = user, ad
        self.u, self.a = Mlp(user, *hidden, width), Mlp(ad, *hidden, width)

    def optimizer(self, params):
        return torch.optim.AdamW(params, lr=2e-3, weight_decay=1e-5)

    def random(self, rng, n):
        user, ad = self.inputs
        return {"user": rng.normal(size=(n, user)).astype(np.float32),
                "ad": rng.normal(size=(n, ad)).astype(np.float32)}

    def vectors(self, batch):
        return F.normalize(self.u(batch["user"]), dim=1), F.normalize(self.a(batch["ad"]), dim=1)

    def forward(self, batch):
        u, a = self.vectors(batch)
        near, own = u @ a.T / 0.07, torch.arange(len(u))
        return ({"user_vector": u, "ad_vector": a},
                (F.cross_entropy(near, own) + F.cross_entropy(near.T, own)) / 2)


class YoutubeDnn(History):
    def __init__(self, items=1683, width=64, longest=1000):
        super().__init__(items, width, longest)
        self.items, self.bias = self.ads, nn.Parameter(torch.zeros(items))
        del self.ads
        self.rate, self.u = nn.Parameter(torch.tensor(-3.0)), Mlp(2 * width, 128, width)

    def random(self, rng, n):
        length = rng.integers(0, self.longest + 1, n)
        length[:3] = 0, 1, self.longest
        item = rng.integers(0, len(self.items), n)
        item[: n // 2] %= 5  # the same item for many: no negatives of each other
        return {"item": item, "hist": rng.integers(0, len(self.items), (n, self.longest)),
                "hist.length": length, "share": rng.uniform(1e-5, 1e-2, n).astype(np.float32)}

    def forward(self, batch):
        here, length = present(batch, "hist"), batch["hist.length"][:, None]
        h = F.embedding(batch["hist"], self.items) * here[:, :, None]
        age = (length - 1 - torch.arange(self.longest)).clamp(min=0)
        near = torch.exp(-F.softplus(self.rate) * age) * here
        past = (near[:, :, None] * h).sum(1) / near.sum(1, keepdim=True).clamp(min=1e-6)
        mean = h.sum(1) / length.clamp(min=1)
        u, item = self.u(torch.cat([past, mean], 1)), batch["item"]
        users = torch.cat([u, torch.ones_like(u[:, :1])], 1)
        items = torch.cat([self.items[item], self.bias[item][:, None]], 1)
        score = users @ items.T - torch.log(batch["share"])
        same = (item[:, None] == item[None]) & ~torch.eye(len(item), dtype=torch.bool)
        loss = F.cross_entropy(score.masked_fill(same, -1e9), torch.arange(len(item)))
        return {"user_vector": users, "item_vector": items}, loss


class Layers(nn.Module):
    """Batch normalisation, of plain features and of a value with two axes."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(8, 6))
        self.h, self.g = nn.Sequential(Norm(8)), nn.Sequential(Norm(3))
        self.z = Mlp(8, 1)

    def optimizer(self, params):
        return torch.optim.Adam(params, lr=1e-3)

    def random(self, rng, n):
        return {"x": rng.normal(1, 2, (n, 6)).astype(np.float32),
                "m": rng.normal(-1, 3, (n, 4, 3)).astype(np.float32),
                "y": rng.normal(size=n).astype(np.float32)}

    def values(self, batch):
        g = self.g(batch["m"].flatten(0, 1)).view_as(batch["m"])
        return self.z(F.relu(self.h(batch["x"] @ self.w.T))) + torch.tanh(g).sum((1, 2))

    def forward(self, batch):
        p = self.eval().values(batch)
        return {"p": p}, F.mse_loss(self.train().values(batch), batch["y"])


class Sampled(nn.Module):
    """Softmax losses over the batch: log q, accidental hits, hard negatives."""

    def __init__(self):
        super().__init__()
        self.v, self.u, self.w = table(30, 8), Mlp(6, 8), Mlp(5, 8)

    def optimizer(self, params):
        return torch.optim.Adam(params, lr=1e-3)

    def random(self, rng, n):
        length = rng.integers(0, 5, n)
        return {"x": rng.normal(size=(n, 6)).astype(np.float32),
                "y": rng.normal(size=(n, 5)).astype(np.float32),
                "item": rng.integers(0, 30, n), "log_q": -rng.random(n).astype(np.float32) * 4,
                "bad": rng.integers(0, 30, (n, 4)), "bad.length": length}

    def forward(self, batch):
        u, a = self.u(batch["x"]), self.w(batch["y"]) + self.v[batch["item"]]
        near, q, own = u @ a.T, batch["log_q"], torch.arange(len(u))
        same = (batch["item"][:, None] == batch["item"]) & ~torch.eye(len(u), dtype=torch.bool)
        masked = lambda z: z.masked_fill(same, -math.inf)
        both = (F.cross_entropy(masked(near / 0.07 - q), own) +
                F.cross_entropy(masked(near.T / 0.07), own)) / 2
        one = masked(near / 0.2 - q)
        hard = (u[:, None] * self.v[batch["bad"]]).sum(2) / 0.2
        hard = hard.masked_fill(~present(batch, "bad"), -math.inf)
        own_score = (u * a).sum(1) / 0.2 - q
        hard = torch.cat([one, hard], 1)  # not drawn by popularity: nothing to correct
        return ({"vector": u}, both + F.cross_entropy(near / 0.5 - q, own) +
                (torch.logsumexp(hard, 1) - own_score).mean())


MODELS = {"lr": Lr, "fm": Fm, "ffm": Ffm, "fwfm": Fwfm, "deepfm": DeepFm, "wide_deep": WideDeep,
          "dcnv2": DcnV2, "dlrm": Dlrm, "afm": Afm, "autoint": AutoInt, "mmoe": Mmoe, "esmm": Esmm,
          "esmm_product": EsmmProduct, "din": Din, "din_paper": DinPaper, "din_dice": DinDice,
          "sasrec": SasRec, "two_tower": TwoTower, "youtube_dnn": YoutubeDnn,
          "layers": Layers, "sampled": Sampled}
