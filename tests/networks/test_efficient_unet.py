"""The Efficient U-Net: published size, presets, invariances, gradients, compilation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from genaudio.core.errors import GenaudioError
from genaudio.networks.efficient_unet import PRESETS, EfficientUNet

SHAPE = (2, 32, 32)
LEAN: dict[str, Any] = {
    "channels": 8,
    "multipliers": (1, 2),
    "attention_levels": (1,),
    "embedding_size": 16,
    "groups": 4,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "edmsound": {**LEAN, "first_kernels": (3, 7)},
    "tiny": {**LEAN, "preset": "tiny"},
    "group": {**LEAN, "preset": "tiny", "norm": "group", "patch_size": 1, "downsample_first": False},
    "layer": {**LEAN, "norm": "layer", "upsampling": "nearest", "global_context": False, "final_block": False},
    "wide last": {**LEAN, "multipliers": (2, 1), "downsample_first": False, "final_block": True},
}
variants = pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)


def build(
    settings: dict[str, Any], condition_size: int | None = None, shape: tuple[int, int, int] = SHAPE
) -> nn.Module:
    """A network whose zero-initialised layers are random too, so that nothing is hidden."""
    torch.manual_seed(0)
    network = EfficientUNet(**settings).build(shape, condition_size)
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return network.eval()


def inputs(batch: int = 3, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(batch, *SHAPE, generator=generator, dtype=dtype),
        torch.randn(batch, generator=generator, dtype=dtype),
    )


def size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def on_meta(settings: dict[str, Any], shape: tuple[int, int, int]) -> nn.Module:
    with torch.device("meta"):
        return EfficientUNet(**settings).build(shape, None)


def test_the_published_size() -> None:
    network = on_meta({}, (2, 256, 128))
    assert size(network) == pytest.approx(45.16e6, rel=0.002)
    with FlopCounterMode(display=False) as flops:
        network(torch.empty(1, 2, 256, 128, device="meta"), torch.empty(1, device="meta"))
    assert flops.get_total_flops() / 2 == pytest.approx(66.9e9, rel=0.08)  # multiply-accumulates


@pytest.mark.parametrize(
    ("preset", "low", "high"), [("tiny", 0.9e6, 1.5e6), ("small", 3.5e6, 4.5e6), ("base", 10e6, 12e6)]
)
def test_sizes_of_the_lean_presets(preset: str, low: float, high: float) -> None:
    assert low < size(on_meta({"preset": preset}, (2, 128, 128))) < high


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_fills_what_is_not_given(preset: str) -> None:
    plain = EfficientUNet(preset=preset)
    for field, value in PRESETS[preset].items():
        assert getattr(plain, field) == value
    assert EfficientUNet.model_validate(plain.model_dump()) == plain
    given = EfficientUNet(preset=preset, channels=80, heads=1)
    assert given == plain.model_copy(update={"channels": 80, "heads": 1})


@variants
def test_output_keeps_the_shape_and_starts_at_zero(settings: dict[str, Any]) -> None:
    x, level = inputs()
    output = EfficientUNet(**settings).build(SHAPE, None)(x, level, None)
    assert output.shape == x.shape
    assert output.is_contiguous()
    assert not output.any()
    assert build(settings)(x, level, None).std() > 1e-3


@variants
def test_gradients_reach_every_parameter(settings: dict[str, Any]) -> None:
    network = build(settings, condition_size=6)
    x, level = inputs()
    network(x, level, torch.randn(3, 6)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        # A softmax does not feel a constant added to its logits.
        if not name.endswith("context.key.bias"):
            assert parameter.grad.any(), name


@variants
def test_items_do_not_depend_on_their_batch(settings: dict[str, Any]) -> None:
    network = build(settings, condition_size=6).double()
    x, level = inputs(dtype=torch.float64)
    condition = torch.randn(3, 6, dtype=torch.float64)
    together = network(x, level, condition)
    for k in range(3):
        alone = network(x[k : k + 1], level[k : k + 1], condition[k : k + 1])
        torch.testing.assert_close(together[k : k + 1], alone, rtol=1e-10, atol=1e-12)


@variants
def test_the_same_in_float64_and_channels_last(settings: dict[str, Any]) -> None:
    network = build(settings)
    x, level = inputs()
    plain = network(x, level, None)
    torch.testing.assert_close(
        network(x.contiguous(memory_format=torch.channels_last), level, None), plain, rtol=0, atol=0
    )
    assert torch.equal(network(x, level, None), plain)
    double = network.double()(x.double(), level.double(), None)
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), plain, rtol=1e-3, atol=1e-4)


@variants
def test_half_precision_is_close(settings: dict[str, Any]) -> None:
    network = build(settings)
    x, level = inputs()
    plain = network(x, level, None)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = network(x, level, None)
    assert torch.isfinite(half).all()
    assert (half - plain).square().mean().sqrt() < 0.05 * plain.square().mean().sqrt()


@pytest.mark.parametrize("name", ["edmsound", "tiny"])
def test_compiles_as_one_graph(name: str) -> None:
    network = build(VARIANTS[name], condition_size=6)
    x, level = inputs()
    condition = torch.randn(3, 6)
    compiled = torch.compile(network, fullgraph=True, dynamic=False, backend="eager")
    torch.testing.assert_close(compiled(x, level, condition), network(x, level, condition))


@pytest.mark.slow
def test_compiles_with_inductor() -> None:
    # One level only: compiling takes seconds a block.
    network = build({**VARIANTS["tiny"], "multipliers": (1,), "attention_levels": (0,)})
    x, level = inputs()
    compiled = torch.compile(network, fullgraph=True, dynamic=False)
    torch.testing.assert_close(compiled(x, level, None), network(x, level, None), rtol=1e-3, atol=1e-4)


def test_noise_level_and_condition_change_the_output() -> None:
    network = build(VARIANTS["tiny"], condition_size=6)
    x, level = inputs(1)
    condition = torch.randn(1, 6)
    output = network(x, level, condition)
    assert not torch.allclose(network(x, level + 0.5, condition), output, atol=1e-3)
    assert not torch.allclose(network(x, level, -condition), output, atol=1e-3)


def test_every_position_sees_every_other() -> None:
    network = build(VARIANTS["tiny"])
    x, level = inputs(1)
    x.requires_grad_()
    network(x, level, None)[0, 0, 0, 0].backward()
    assert (x.grad != 0).float().mean() > 0.99


def test_dropout_acts_in_training_only() -> None:
    network = build({**VARIANTS["tiny"], "dropout": 0.5})
    x, level = inputs()
    assert torch.equal(network(x, level, None), network(x, level, None))
    network.train()
    assert not torch.equal(network(x, level, None), network(x, level, None))


def test_the_same_seed_gives_the_same_network() -> None:
    first, second = build(VARIANTS["edmsound"]).state_dict(), build(VARIANTS["edmsound"]).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(value.is_contiguous() for value in first.values())


def test_planes_that_cannot_be_halved_are_explained() -> None:
    network = EfficientUNet()
    with pytest.raises(GenaudioError, match=r"126 frames[\s\S]*multiple of 16[\s\S]*representation.time_multiple: 16"):
        network.build((2, 256, 126), None)
    with pytest.raises(GenaudioError, match=r"257 frequency bins[\s\S]*multiple of 16[\s\S]*representation.n_fft: 510"):
        network.build((2, 257, 128), None)


def test_wrong_inputs_are_explained() -> None:
    network = EfficientUNet(**VARIANTS["tiny"]).build(SHAPE, 6)
    x, level = inputs()
    with pytest.raises(GenaudioError, match=r"\(3, 2, 32, 16\)[\s\S]*\(batch, 2, 32, 32\)"):
        network(x[..., :16], level, torch.zeros(3, 6))
    with pytest.raises(GenaudioError, match=r"condition of size None[\s\S]*size 6"):
        network(x, level, None)
    with pytest.raises(GenaudioError, match=r"condition of size 5[\s\S]*size 6"):
        network(x, level, torch.zeros(3, 5))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"preset": "huge"}, "'edmsound', 'base', 'small' or 'tiny'"),
        ({"attention_levels": (4,)}, "attention_levels names level 4; the levels are 0 to 3"),
        ({"groups": 7}, "groups 7 does not divide the widths"),
        ({"heads": 3}, "heads 3 does not divide the widths"),
        ({"first_kernels": (4,)}, "must be odd"),
        ({"multipliers": (1, 0), "attention_levels": ()}, "must be 1 or more"),
        ({"channels": "128"}, "valid integer"),
        ({"depth": 3}, "Extra inputs are not permitted"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        EfficientUNet(**settings)
