"""What holds for every guidance, checked on estimates drawn at random."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import torch
from torch import Tensor

from genaudio.plugins.testing.findings import Findings
from genaudio.samplers.guidance.base import Estimate, Guidance

SIGMAS = (1e6, 1e3, 80.0, 20.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.05, 1e-3, 1e-6)
_NAMES: frozenset[Estimate] = frozenset(get_args(Estimate))
_HALF = (torch.float16, torch.bfloat16)


def check_guidance(guidance: Guidance, shape: tuple[int, ...] | None = None) -> None:
    """Check guidance: that it says what it reads, is pure, keeps dtype and device, that items are independent, and that
    it never waits for a device.

    Make it with parameters with which it changes something: one that needs nothing at any noise level is a finding.
    `shape` is that of an item for guidance that takes no other.
    """
    findings = Findings(f"guidance {type(guidance).__name__}")
    _check_needs(guidance, findings)
    findings.close()

    drawn = _drawn((3, *(shape or (2, 5, 4))))
    together = _trajectory(guidance, drawn, findings)
    findings.close()
    for item in range(3):
        alone = _trajectory(guidance, {name: x[item : item + 1] for name, x in drawn.items()}, findings)
        same = all(torch.allclose(a[0], b[item], rtol=1e-12, atol=1e-12) for a, b in zip(alone, together, strict=True))
        findings.expect(same, f"item {item} comes out otherwise alone than in a batch")

    single = _trajectory(guidance, {name: x.float() for name, x in drawn.items()}, findings, "in float32")
    close = all(torch.allclose(a.double(), b, rtol=1e-4, atol=1e-4) for a, b in zip(single, together, strict=True))
    findings.expect(close, "in float32 it comes out otherwise than in float64")
    for dtype in _HALF:  # items so large that a sum of their squares overflows or stalls in half precision
        large = {name: (30 * x).to(dtype) for name, x in _drawn((2, *(shape or (2, 64, 32)))).items()}
        _trajectory(guidance, large, findings, f"in {str(dtype).removeprefix('torch.')}")

    _check_no_waiting(guidance, shape or (2, 5, 4), findings)
    equal = dict.fromkeys(drawn, drawn["conditional"])
    _trajectory(guidance, equal, findings, "where all estimates are the same")
    _trajectory(guidance, {name: torch.zeros_like(x) for name, x in drawn.items()}, findings, "where all are zero")
    findings.close()


def _drawn(shape: tuple[int, ...]) -> dict[Estimate, Tensor]:
    """An estimate of each name."""
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator, dtype=torch.float64) for name in sorted(_NAMES)}


def _check_needs(guidance: Guidance, findings: Findings) -> None:
    needed: set[Any] = set()
    for sigma in SIGMAS:
        needs = guidance.needs(sigma)
        findings.expect(needs == guidance.needs(sigma), f"at sigma {sigma:g} its needs change from call to call")
        needed |= set(needs)
    unknown = ", ".join(map(repr, sorted(needed - _NAMES)))
    findings.expect(not unknown, f"it needs {unknown}; there is {', '.join(sorted(_NAMES))}")
    undeclared = ", ".join(sorted((needed & {"null", "weak"}) - guidance.uses))
    findings.expect(not undeclared, f"it needs {undeclared}, which its class attribute `uses` leaves out")
    findings.expect(bool(needed), "it needs nothing at any noise level: check it with parameters that change something")
    findings.expect("weak" not in needed or guidance.weak_model is not None, "it needs weak and names no weak_model")


def _check_no_waiting(guidance: Guidance, shape: tuple[int, ...], findings: Findings) -> None:
    """On tensors without values whatever looks at a value fails, where on a GPU the host would wait for it."""
    empty = {name: x.to("meta") for name, x in _drawn((2, *shape)).items()}
    state = guidance.init()
    for sigma in SIGMAS:
        needs = guidance.needs(sigma)
        if needs:
            estimates: dict[Estimate, Tensor] = {name: empty[name] for name in needs if name != "guided"}
            try:
                _, state = guidance.guide(empty["guided"], estimates, sigma, state)
            except (RuntimeError, NotImplementedError) as error:
                reason = str(error).partition("\n")[0]
                findings.expect(
                    False, f"at sigma {sigma:g} it looks at values, for which a GPU is waited for: {reason}"
                )
                return


def _trajectory(
    guidance: Guidance, drawn: Mapping[Estimate, Tensor], findings: Findings, case: str = ""
) -> list[Tensor]:
    """The guided estimates from the highest noise level to the lowest, where it changes something."""
    results: list[Tensor] = []
    state = guidance.init()
    for sigma in SIGMAS:
        needs = guidance.needs(sigma)
        if not needs:
            continue
        where = " ".join(part for part in (f"at sigma {sigma:g}", case) if part)
        reads = "guided" in needs
        guided = drawn["guided"].clone() if reads else torch.full_like(drawn["guided"], torch.nan)
        estimates: dict[Estimate, Tensor] = {name: drawn[name].clone() for name in needs if name != "guided"}
        try:
            result, following = guidance.guide(guided, estimates, sigma, state)
            again, _ = guidance.guide(guided, estimates, sigma, state)
        except KeyError as error:
            findings.expect(False, f"{where} it reads {error}, which its needs do not name")
            return results
        like = result.shape == guided.shape and result.dtype == guided.dtype and result.device == guided.device
        findings.expect(like, f"{where} it changes shape, dtype or device")
        untouched = all(torch.equal(estimates[name], drawn[name]) for name in estimates)
        findings.expect(
            untouched and (not reads or torch.equal(guided, drawn["guided"])), f"{where} it modifies its input"
        )
        findings.expect(
            bool(result.isfinite().all()),
            f"{where} its result is not finite" + ("" if reads else " (its needs do not name 'guided')"),
        )
        findings.expect(torch.equal(result, again), f"{where} it modifies its state: a second call comes out otherwise")
        results.append(result)
        state = following
    return results
