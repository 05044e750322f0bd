"""What a handler may ask for by name: the capabilities, and who is asking.

`Given` says that the value is ours: the framework hands it over as it is and does not look into it on every request.
"""

from typing import Annotated, TypeAlias, TypeVar

from litestar.di import Dependency
from litestar.params import HeaderParameter, SkipValidationMarker

from connector.capabilities.identity import Principal

T = TypeVar("T")

Given: TypeAlias = Annotated[T, Dependency(kind="named"), SkipValidationMarker()]
By: TypeAlias = Given[Principal]
MediaType = Annotated[str, HeaderParameter(name="content-type")]
