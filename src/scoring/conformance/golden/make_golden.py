"""Writes ops.json: small models, inputs and answers in float64, computed by nothing but this file and NumPy.

Run: python3 make_golden.py > ops.json
Each op is written from its definition over full rows; ids are gathered and lists pooled row by row.
"""
import json
import numpy as np

rng = np.random.default_rng(20260101)
ROWS = 5
VOCABULARY = {"user": 7, "ad": 9, "word": 6, "image": 5}
SCHEMA = {
    "name": "golden",
    "labels": [{"name": "click", "column": "click"}, {"name": "buy", "column": "buy", "after": "click"}],
    "fields": [
        {"name": "user", "kind": "id", "scope": "request", "size": 4},
        {"name": "seen", "kind": "ids", "scope": "request", "size": 4, "table": "ad"},
        {"name": "age", "kind": "number", "scope": "request"},
        {"name": "ad", "kind": "id", "scope": "ad", "size": 4},
        {"name": "word", "kind": "ids", "scope": "ad", "size": 4, "pooling": "sum"},
        {"name": "image", "kind": "id", "scope": "creative", "size": 3},
        {"name": "look", "kind": "vector", "scope": "ad", "length": 3},
        {"name": "recentAds", "kind": "ids", "scope": "request", "size": 4, "table": "ad", "pooling": "none", "maxItems": 4},
        {"name": "recentImages", "kind": "ids", "scope": "request", "size": 3, "table": "image", "pooling": "none", "maxItems": 4},
        {"name": "shown", "kind": "ids", "scope": "candidate", "size": 4, "table": "user", "pooling": "none", "maxItems": 3},
    ],
}
# Request fields have one row for all; lists begin with, hold and end with an empty one.
INPUT = {
    "user": {"kind": "id", "ids": [3]},
    "seen": {"kind": "ids", "offsets": [0, 3], "ids": [2, 8, 2], "pooling": "mean"},
    "age": {"kind": "dense", "width": 1, "values": [0.75]},
    "ad": {"kind": "id", "ids": [8, 0, 1, 4, 4]},
    "word": {"kind": "ids", "offsets": [0, 0, 1, 4, 4, 6], "ids": [5, 2, 2, 3, 1, 0], "pooling": "sum"},
    "image": {"kind": "id", "ids": [4, 2, 0, 1, 2]},
    "look": {"kind": "dense", "width": 3, "values": [round(float(x), 3) for x in rng.normal(size=ROWS * 3)]},
    "recentAds": {"kind": "ids", "offsets": [0, 3], "ids": [8, 0, 4], "pooling": "none"},
    "recentImages": {"kind": "ids", "offsets": [0, 3], "ids": [4, 1, 0], "pooling": "none"},
    "shown": {"kind": "ids", "offsets": [0, 0, 1, 4, 4, 6], "ids": [5, 2, 2, 3, 1, 0], "pooling": "none"},
}


def draw(*shape):
    """Three decimals, as float32 holds them."""
    return np.round(rng.normal(size=shape) * 0.6, 3).astype(np.float32).astype(np.float64)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


ACTIVATION = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": sigmoid,
    "doubleSigmoid": lambda x: 2 * sigmoid(x),
}


class Case:
    def __init__(self, name):
        self.name, self.steps, self.tables, self.weights, self.values, self.sizes = name, [], {}, {}, {}, {}
        self.events = {}

    def step(self, op, inputs, output, value, sizes=None, **settings):
        self.steps.append({"op": op, "inputs": inputs, "output": output, **settings})
        self.values[output], self.sizes[output] = value, sizes
        return output

    def weight(self, name, *shape):
        self.weights[name] = draw(*shape)
        return self.weights[name]

    def inputs(self, names):
        return np.concatenate([self.values[name] for name in names], axis=1)

    def embed(self, output, fields, size=None):
        parts, tables, sizes = [], [], []
        for field in fields:
            table = self.table(field, size)
            width = self.tables[table]["size"]
            rows, column = self.weights[f"tables/{table}"], INPUT[field]
            part = np.zeros((ROWS, width))
            for row in range(ROWS):
                if column["kind"] == "id":
                    ids = [column["ids"][0 if len(column["ids"]) == 1 else row]]
                else:
                    at = 0 if len(column["offsets"]) == 2 else row
                    ids = column["ids"][column["offsets"][at] : column["offsets"][at + 1]] or [0]
                pooled = rows[ids].sum(axis=0)
                part[row] = pooled / len(ids) if column.get("pooling") == "mean" else pooled
            parts.append(part)
            tables.append(table)
            sizes.append(width)
        return self.step("embed", fields, output, np.concatenate(parts, axis=1), sizes, tables=tables)

    def table(self, field, size):
        spec = next(f for f in SCHEMA["fields"] if f["name"] == field)
        vocabulary = spec.get("table", field)
        width = size or spec["size"]
        table = vocabulary if size is None else f"{vocabulary}.{size}"
        if table not in self.tables:
            self.tables[table] = {"name": table, "vocabulary": vocabulary, "size": width}
            self.weight(f"tables/{table}", VOCABULARY[vocabulary], width)
        return table

    def sequence(self, output, fields, length):
        """[rows, length · size], zeros where no event is; `self.events` holds each row's own."""
        tables = [self.table(field, None) for field in fields]
        size = sum(self.tables[table]["size"] for table in tables)
        events = np.zeros((ROWS, length, size + 1))
        for row in range(ROWS):
            offsets = INPUT[fields[0]]["offsets"]
            at = 0 if len(offsets) == 2 else row
            for i in range(offsets[at + 1] - offsets[at]):
                parts = [self.weights[f"tables/{t}"][INPUT[f]["ids"][offsets[at] + i]] for f, t in zip(fields, tables)]
                events[row, i] = np.concatenate([*parts, [1]])
        self.step("embedSequence", fields, output, events.reshape(ROWS, -1), tables=tables, length=length)
        self.events[output] = [[e for e in row if e[-1] == 1] for row in events]
        return output

    def attend(self, output, name, query, units, weights):
        q = self.values[query] @ self.weight(f"{output}.wq", self.values[query].shape[1], units)
        q = q + self.weight(f"{output}.bq", units)
        size = self.events[name][2][0].shape[0]
        wk = self.weight(f"{output}.wk", size, units)
        y = np.zeros((ROWS, size))
        for row, events in enumerate(self.events[name]):
            if not events:
                continue
            scores = np.array([q[row] @ (e @ wk) for e in events]) / np.sqrt(units)
            shares = sigmoid(scores) if weights == "sigmoid" else np.exp(scores) / np.exp(scores).sum()
            y[row] = sum(share * e for share, e in zip(shares, events))
        return self.step("attend", [name, query], output, y, units=units, weights=weights)

    def pool(self, output, name, mode):
        y = np.zeros((ROWS, self.events[name][2][0].shape[0]))
        for row, events in enumerate(self.events[name]):
            if events:
                y[row] = np.mean(events, axis=0) if mode == "mean" else events[0]
        return self.step("pool", [name], output, y, mode=mode)

    def numbers(self, output, fields):
        parts = []
        for field in fields:
            column = INPUT[field]
            part = np.array(column["values"]).astype(np.float32).astype(np.float64).reshape(-1, column["width"])
            parts.append(np.broadcast_to(part, (ROWS, column["width"])))
        return self.step("input", fields, output, np.concatenate(parts, axis=1))

    def join(self, op, output, names):
        sizes = sum((self.sizes[name] for name in names), []) if op == "stack" else None
        return self.step(op, names, output, self.inputs(names), sizes)

    def dense(self, output, names, units, activation="linear", bias=True):
        x = self.inputs(names)
        y = x @ self.weight(f"{output}.w", x.shape[1], units)
        if bias:
            y = y + self.weight(f"{output}.b", units)
        return self.step("dense", names, output, ACTIVATION[activation](y), units=units, activation=activation, bias=bias)

    def senet(self, output, name, units, activation):
        x, sizes = self.values[name], self.sizes[name]
        ends = np.cumsum(sizes)
        z = np.stack([x[:, end - size : end].mean(axis=1) for end, size in zip(ends, sizes)], axis=1)
        n = len(sizes)
        h = np.maximum(z @ self.weight(f"{output}.w1", n, units) + self.weight(f"{output}.b1", units), 0)
        a = ACTIVATION[activation](h @ self.weight(f"{output}.w2", units, n) + self.weight(f"{output}.b2", n))
        return self.step("senet", [name], output, a, units=units, activation=activation)

    def gate(self, output, name, gates):
        sizes = self.sizes[name]
        y = self.values[name] * np.repeat(self.values[gates], sizes, axis=1)
        return self.step("gate", [name, gates], output, y, sizes)

    def fields(self, name):
        return self.values[name].reshape(ROWS, len(self.sizes[name]), self.sizes[name][0])

    def inner(self, output, name):
        products = np.einsum("rid,rjd->rij", self.fields(name), self.fields(name))
        upper = np.triu_indices(products.shape[1], k=1)
        return self.step("inner", [name], output, products[:, upper[0], upper[1]])

    def fm(self, output, name):
        e = self.fields(name)
        products = np.einsum("rid,rjd->rij", e, e)
        upper = np.triu_indices(e.shape[1], k=1)
        return self.step("fm", [name], output, products[:, upper[0], upper[1]].sum(axis=1, keepdims=True))

    def cross(self, output, x0, x, rank=None):
        a, b = self.values[x0], self.values[x]
        n = a.shape[1]
        if rank is None:
            w = self.weight(f"{output}.w", n, n)
        else:
            w = self.weight(f"{output}.v", n, rank) @ self.weight(f"{output}.u", rank, n)
        return self.step("cross", [x0, x], output, a * (b @ w + self.weight(f"{output}.b", n)) + b, rank=rank)

    def sum(self, output, names, bias):
        total = self.inputs(names).sum(axis=1, keepdims=True)
        if bias:
            total = total + self.weight(f"{output}.b", 1)
        return self.step("sum", names, output, total, bias=bias)

    def combine(self, op, output, names):
        values = [self.values[name] for name in names]
        y = np.sum(values, axis=0) if op == "add" else np.prod(values, axis=0)
        return self.step(op, names, output, y, self.sizes[names[0]])

    def softmax(self, output, name):
        e = np.exp(self.values[name])
        return self.step("softmax", [name], output, e / e.sum(axis=1, keepdims=True))

    def same(self, op, output, name, **settings):
        return self.step(op, [name], output, self.values[name], self.sizes[name], **settings)

    def finish(self, tasks):
        probabilities = {
            task: np.prod([sigmoid(self.values[logit][:, 0]) for logit in logits], axis=0).tolist()
            for task, logits in tasks.items()
        }
        return {
            "name": self.name,
            "model": {
                "architecture": "golden",
                "tables": list(self.tables.values()),
                "steps": self.steps,
                "tasks": [{"name": task, "logits": logits} for task, logits in tasks.items()],
                "losses": [],
            },
            "weights": {
                name: {"shape": list(w.shape), "values": [round(float(x), 3) for x in w.ravel()]}
                for name, w in self.weights.items()
            },
            "probabilities": probabilities,
        }


def case_embed():
    c = Case("embed: ids, pooled lists, empty lists, a shared table, one row for all")
    c.embed("e", ["user", "seen", "ad", "word", "image"])
    return c.finish({"click": [c.dense("z", ["e"], 1)]})


def case_sum():
    c = Case("sum and input: the first-order part, and dense fields")
    c.embed("e", ["user", "ad", "word"], size=1)
    c.numbers("x", ["age", "look"])
    c.dense("w", ["x"], 1, bias=False)
    return c.finish({"click": [c.sum("z", ["e", "w"], bias=True)], "buy": [c.sum("y", ["e", "x"], bias=False)]})


def case_dense(activation):
    c = Case(f"dense: {activation}")
    c.embed("user side", ["user"])
    c.embed("ad side", ["ad", "image"])
    c.dense("h", ["user side", "ad side"], 5, activation)
    return c.finish({"click": [c.dense("z", ["h"], 1)]})


def case_senet(activation):
    c = Case(f"senet and gate over fields of two sizes: {activation}")
    c.embed("user side", ["user", "seen"])
    c.embed("ad side", ["ad", "image"])
    c.join("stack", "e", ["user side", "ad side"])
    c.senet("g", "e", 2, activation)
    c.gate("y", "e", "g")
    return c.finish({"click": [c.dense("z", ["y"], 1)]})


def case_request_gate():
    c = Case("gate: fields of the request scaled by each candidate, and the reverse")
    c.embed("user side", ["user", "seen"])
    c.embed("ad side", ["ad", "image"])
    c.dense("by ad", ["ad side"], 2, "sigmoid")
    c.dense("by user", ["user side"], 2, "sigmoid")
    c.gate("y", "user side", "by ad")
    c.gate("x", "ad side", "by user")
    return c.finish({"click": [c.dense("z", ["y", "x"], 1)]})


def case_pairs():
    c = Case("inner and fm")
    c.embed("user side", ["user", "seen"])
    c.embed("ad side", ["ad", "word"])
    c.join("stack", "e", ["user side", "ad side"])
    c.inner("pairs", "e")
    c.fm("f", "e")
    c.inner("user pairs", "user side")
    return c.finish({"click": [c.dense("z", ["pairs", "user pairs"], 1)], "buy": [c.sum("y", ["f"], bias=True)]})


def case_cross():
    c = Case("cross: full and of low rank")
    c.embed("user side", ["user"])
    c.embed("ad side", ["ad"])
    c.numbers("x", ["age", "look"])
    c.join("concat", "x0", ["user side", "ad side", "x"])
    c.cross("x1", "x0", "x0")
    c.cross("x2", "x0", "x1", rank=3)
    c.cross("by ad", "ad side", "user side", rank=2)
    return c.finish({"click": [c.dense("z", ["x2"], 1)], "buy": [c.dense("y", ["by ad", "x1"], 1, bias=False)]})


def case_elementwise():
    c = Case("add, multiply, softmax, stopGradient, dropout")
    c.embed("user side", ["user"])
    c.embed("ad side", ["ad"])
    c.embed("words", ["word"])
    c.combine("add", "a", ["user side", "ad side", "words"])
    c.combine("multiply", "m", ["ad side", "user side"])
    c.softmax("s", "a")
    c.softmax("t", "user side")
    c.same("stopGradient", "k", "m")
    c.same("dropout", "d", "s", rate=0.5)
    c.combine("multiply", "weighted", ["d", "t"])
    return c.finish({"click": [c.dense("z", ["k", "weighted"], 1)]})


def case_tasks():
    c = Case("tasks: a product of probabilities, a logit of the request alone")
    c.embed("user side", ["user", "seen"])
    c.embed("ad side", ["ad"])
    c.dense("z", ["user side", "ad side"], 1)
    c.dense("y", ["ad side"], 1)
    c.dense("u", ["user side"], 1)
    return c.finish({"click": ["z"], "buy": ["z", "y"], "stay": ["u"], "all": ["z", "y", "u"]})


def case_attend(weights):
    c = Case(f"attend: to the request's events and to a candidate's, some rows without: {weights}")
    c.sequence("recent", ["recentAds", "recentImages"], 5)
    c.sequence("who", ["shown"], 3)
    c.embed("ad side", ["ad", "image"])
    c.embed("user side", ["user"])
    c.attend("by ad", "recent", "ad side", 3, weights)
    c.attend("by user", "who", "user side", 2, weights)
    return c.finish({"click": [c.dense("z", ["by ad", "by user"], 1)], "buy": [c.dense("y", ["by ad", "who"], 1)]})


def case_pool():
    c = Case("pool: mean and last")
    c.sequence("recent", ["recentImages", "recentAds"], 4)
    c.sequence("who", ["shown"], 4)
    parts = [c.pool(f"{name} {mode}", name, mode) for name in ("recent", "who") for mode in ("mean", "last")]
    return c.finish({"click": [c.dense("z", parts, 1)], "buy": [c.dense("y", ["recent"], 1)]})


cases = [
    case_embed(),
    case_sum(),
    *[case_dense(activation) for activation in ACTIVATION],
    *[case_senet(activation) for activation in ACTIVATION],
    case_request_gate(),
    case_pairs(),
    case_cross(),
    case_elementwise(),
    case_tasks(),
    case_attend("softmax"),
    case_attend("sigmoid"),
    case_pool(),
]
print(json.dumps({"schema": SCHEMA, "rowCount": ROWS, "vocabularies": VOCABULARY, "input": INPUT, "cases": cases}))
