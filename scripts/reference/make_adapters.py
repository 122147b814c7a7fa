"""Adapters that PEFT itself wrote, and what it adds to every weight, for test/adapters/peft.test.ts.

    pip install torch peft transformers
    python3 scripts/reference/make_adapters.py test/fixtures/adapters

With --check FOLDER... it opens folders that writeAdapter made of them, in PEFT, and compares what that adds:

    python3 scripts/reference/make_adapters.py test/fixtures/adapters --check plain=FOLDER patterns=FOLDER
"""

import json
import os
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers.pytorch_utils import Conv1D


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj = torch.nn.Linear(6, 5, bias=False)
        self.v_proj = torch.nn.Linear(6, 4)
        self.line = torch.nn.Conv1d(3, 4, 2, bias=False)
        self.conv = torch.nn.Conv2d(3, 4, (2, 3), bias=False)
        self.cube = torch.nn.Conv3d(2, 3, (1, 2, 2), bias=False)
        self.c_attn = Conv1D(5, 6)  # its weight is [in, out]


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(9, 6)
        self.layers = torch.nn.ModuleList([Block(), Block()])
        self.score = torch.nn.Linear(4, 2)


every = ["q_proj", "v_proj", "line", "conv", "cube", "embed"]

configs = {
    "plain": LoraConfig(r=3, lora_alpha=6, target_modules=every),
    "patterns": LoraConfig(
        r=2,
        lora_alpha=5,
        use_rslora=True,
        target_modules=["q_proj", "v_proj", "conv"],
        rank_pattern={"layers.1.q_proj": 4, ".*v_proj": 3},
        alpha_pattern={"^layers.0.(q_proj|conv)": 7},
        modules_to_save=["score"],
        bias="lora_only",
    ),
    "gpt2": LoraConfig(r=2, lora_alpha=3, target_modules=["c_attn"], fan_in_fan_out=True),
}


def model():
    torch.manual_seed(0)
    return Model()


def changes(peft_model):
    """What is added to every weight."""
    out = {}
    for name, module in peft_model.base_model.model.named_modules():
        if hasattr(module, "get_delta_weight"):
            delta = module.get_delta_weight("default").detach().double()
            out[name] = {"shape": list(delta.shape), "values": [float(f"{x:.9g}") for x in delta.flatten().tolist()]}
    return out


def make(folder):
    for name, config in configs.items():
        made = get_peft_model(model(), config)
        for key, parameter in made.named_parameters():
            if "lora_" in key:
                torch.nn.init.normal_(parameter)
        made.save_pretrained(os.path.join(folder, name))
        os.remove(os.path.join(folder, name, "README.md"))
        with open(os.path.join(folder, name, "changes.json"), "w") as file:
            json.dump(changes(made), file)


def check(folder, pairs):
    for pair in pairs:
        name, written = pair.split("=")
        with open(os.path.join(folder, name, "changes.json")) as file:
            expected = json.load(file)
        found = changes(PeftModel.from_pretrained(model(), written))
        assert found.keys() == expected.keys(), (name, found.keys(), expected.keys())
        for module, change in expected.items():
            assert found[module]["shape"] == change["shape"], (name, module)
            a, b = (torch.tensor(x["values"]) for x in (found[module], change))
            error = float((a - b).norm() / b.norm())
            assert error < 1e-5, (name, module, error)
        print(f"{name}: {len(expected)} modules as they should be")


if __name__ == "__main__":
    if "--check" in sys.argv:
        at = sys.argv.index("--check")
        check(sys.argv[1], sys.argv[at + 1 :])
    else:
        make(sys.argv[1])
