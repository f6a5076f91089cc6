"""Which kind a feature has: that of its dtype and ``encode``, or one from elsewhere that the settings name."""

from pydantic import ValidationError

from kilnworks.components.features.kinds import KINDS
from kilnworks.components.features.kinds.base import Kind
from kilnworks.components.features.kinds.built_in import BuiltIn
from kilnworks.components.features.kinds.dropped import Dropped
from kilnworks.components.features.settings import FeatureSettings, PreprocessConfig
from kilnworks.schemas.code import Code
from kilnworks.schemas.contract import Feature
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.updates import explain


def kind_of(name: str, feature: Feature, own: FeatureSettings, config: PreprocessConfig) -> Kind:
    """The kind of a feature, with its settings.

    Raises:
        ConfigError: no kind takes this dtype by this ``encode``, or a setting means nothing for the one that does.
        UnknownName: there is no class of the name that ``encode`` gives.
    """
    if isinstance(own.encode, Code):
        _refuse_settings(name, feature, own, None)
        return _foreign(name, feature, own.encode)
    encode = config.datetimes if own.encode == "auto" and feature.dtype == "datetime" else own.encode
    for kind in KINDS:
        if encode in kind.encodings(feature):
            _refuse_settings(name, feature, own, kind)
            return kind.of(feature, encode, own, config)
    shape = f" of shape {list(feature.shape)}" if feature.shape else ""
    allowed = sorted({encode for kind in KINDS for encode in kind.encodings(feature)} | {"auto"})
    raise ConfigError(
        f"features.{name}.encode is {own.encode!r}, and {name!r} is {feature.dtype}{shape}",
        f"one of {', '.join(allowed)}, or module:Class of a kind of your own",
        "correct the settings of the preprocessing",
    )


def _foreign(name: str, feature: Feature, code: Code) -> Kind:
    """A kind from elsewhere, made with its options."""
    try:
        kind = code.call()
    except ValidationError as error:
        raise ConfigError(
            f"features.{name}.encode: {explain(error)}", f"options of {code.path}", "correct the options"
        ) from None
    if not isinstance(kind, Kind):
        raise ConfigError(
            f"features.{name}.encode: {code.path} gives a {type(kind).__name__}",
            "a subclass of kilnworks.components.features.kinds.base.Kind",
            "see docs/features.md",
        )
    instead = kind.refused(feature)
    if instead:
        shape = f" of shape {list(feature.shape)}" if feature.shape else ""
        got = f"features.{name}.encode is {code.path}, and {name!r} is {feature.dtype}{shape}"
        raise ConfigError(got, instead, "correct the settings of the preprocessing, or the contract")
    return kind


def _refuse_settings(name: str, feature: Feature, own: FeatureSettings, kind: type[BuiltIn] | None) -> None:
    """Raise where something is set that only another kind would read."""
    if kind is Dropped:
        return
    mine = kind.own_settings.model_fields if kind is not None and kind.own_settings is not None else {}
    for other in KINDS:
        for field, info in (other.own_settings.model_fields if other.own_settings is not None else {}).items():
            if field not in mine and getattr(own, field) != info.default:
                taken = f"is taken as {kind.takes}" if kind is not None else f"has the kind {own.encode}"
                got = f"features.{name}.{field} is set, and {name!r} is {feature.dtype} and {taken}"
                raise ConfigError(got, f"{field} for {other.takes} alone", f"leave {field} out")
