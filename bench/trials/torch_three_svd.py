"""The composition of three SVDs on torch, as TransformerLens' FactoredMatrix.svd does it."""

import torch
from trial import operands, trial

A, B = (torch.from_numpy(x) for x in operands())


def three_svds():
    Ua, Sa, Va = torch.svd(A)
    Ub, Sb, Vb = torch.svd(B)
    middle = Sa[..., :, None] * Va.transpose(-2, -1) @ Ub * Sb[..., None, :]
    Um, S, Vm = torch.svd(middle)
    return Ua @ Um, S, Vb @ Vm


trial(three_svds)
