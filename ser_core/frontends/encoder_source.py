"""Opening a pretrained speech encoder: by name, from a folder, or from a configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ser_core.errors import SpecificationError

_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_PROBE_SECONDS = 5.0
# A mask for pretraining, which many published encoders lack and nothing here reads.
_NEEDLESS = frozenset({"masked_spec_embed"})
# A whole Whisper holds its encoder beside a decoder, which is not loaded.
_WHISPER_PARTS = {r"^(model\.)?encoder\.": ""}


def open_pretrained(source: str) -> Any:
    """Return the encoder at ``source`` with its weights, in float32.

    Args:
        source: name on the Hub, or local folder with config.json and model.safetensors.

    Raises:
        SpecificationError: it isn't there, can't be reached, or is incomplete.
    """
    import torch

    local = _only_local(source)
    try:
        config = _auto_config(source, local)
        options = {
            "dtype": torch.float32,
            "local_files_only": local,
            "output_loading_info": True,
        }
        if config.model_type == "whisper":
            from transformers.models.whisper.modeling_whisper import WhisperEncoder

            encoder, found = WhisperEncoder.from_pretrained(
                source, config=config, key_mapping=_WHISPER_PARTS, **options
            )
        else:
            from transformers import AutoModel

            encoder, found = AutoModel.from_pretrained(source, config=config, **options)
    except (OSError, ValueError) as error:
        raise _not_opened(source, local, error) from error
    if missing := sorted(set(found["missing_keys"]) - _NEEDLESS):
        raise SpecificationError(
            f"encoder: “{source}” holds no weights for {missing[0]} and {len(missing) - 1} more. "
            "Save the encoder again, or take another copy of it."
        )
    return encoder


def require_source(source: str) -> None:
    """Refuse an encoder that can't be had: asked before anything that takes long.

    Args:
        source: as `open_pretrained` takes it.

    Raises:
        SpecificationError: it is neither here nor, at the moment, on the Hub.
    """
    if not _only_local(source):
        return
    try:
        _auto_config(source, True)
    except (OSError, ValueError) as error:
        raise _not_opened(source, True, error) from error


def build_from_config(config: Mapping[str, Any], layers: int) -> Any:
    """Return the encoder that a configuration describes, with fresh weights.

    Args:
        config: as ``transformers`` writes it, with ``model_type``.
        layers: build only so many first layers; 0 for all.

    Raises:
        SpecificationError: the configuration can't be built.
    """
    from transformers import AutoConfig, AutoModel

    held = {name: value for name, value in config.items() if name not in ("dtype", "torch_dtype")}
    kind = held.pop("model_type", None)
    try:
        settings = AutoConfig.for_model(str(kind), **held)
        if layers:
            settings.num_hidden_layers = min(layers, settings.num_hidden_layers)
        if kind == "whisper":
            from transformers.models.whisper.modeling_whisper import WhisperEncoder

            return WhisperEncoder(settings)
        return AutoModel.from_config(settings)
    except (KeyError, ValueError, TypeError) as error:
        raise SpecificationError(
            f"encoder: the configuration of model_type {kind!r} can't be built: {error}"
        ) from error


def preprocessing(source: str, layer_norm: bool) -> tuple[int, bool]:
    """Return the sample rate and whether clips are standardised, as ``source`` says.

    A source without preprocessor_config.json (an encoder saved by itself) has the family's
    ways: 16 kHz, standardised where the feature extractor has layer norm.

    Raises:
        SpecificationError: the file is there and can't be read.
    """
    from transformers import AutoFeatureExtractor

    local = _only_local(source)
    try:
        extractor = AutoFeatureExtractor.from_pretrained(source, local_files_only=local)
    except (OSError, ValueError) as error:
        if Path(source).is_dir() and not (Path(source) / "preprocessor_config.json").exists():
            return 16_000, layer_norm
        raise SpecificationError(
            f"encoder: the preprocessing of “{source}” can't be read: {_brief(error)}"
        ) from error
    return int(extractor.sampling_rate), bool(getattr(extractor, "do_normalize", False))


def _only_local(source: str) -> bool:
    """Return whether nothing may be asked of the Hub: a folder, or a Hub that doesn't answer.

    The library itself would try for most of a minute.
    """
    if Path(source).is_dir():
        return True
    if not _HUB_NAME.fullmatch(source):
        raise SpecificationError(
            f"encoder: there is no folder “{source}”, and it is not a name on the Hub (such as "
            "openai/whisper-base) either."
        )
    import httpx
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return True
    try:
        httpx.head(constants.ENDPOINT, timeout=_PROBE_SECONDS)
    except httpx.HTTPError:
        return True
    return False


def _auto_config(source: str, local: bool) -> Any:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(source, local_files_only=local)


def _not_opened(source: str, local: bool, error: Exception) -> SpecificationError:
    if Path(source).is_dir():
        return SpecificationError(
            f"encoder: no speech encoder could be opened from the folder “{source}”, which should "
            "hold config.json and model.safetensors as save_pretrained writes them. "
            + _brief(error)
        )
    if local:
        return SpecificationError(
            f"encoder: “{source}” is not on this machine, and the Hub can't be reached. Try again "
            "with the network there, or copy the encoder's folder (config.json, model.safetensors, "
            "preprocessor_config.json) here and give its path instead of its name."
        )
    return SpecificationError(
        f"encoder: no speech encoder could be opened from “{source}” on the Hub. Check the name, "
        f"or give the path of a local folder. {_brief(error)}"
    )


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
