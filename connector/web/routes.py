"""Everything that is served."""

from collections.abc import Sequence
from typing import Final

from litestar.types import ControllerRouterHandler

from connector.web import (
    contracts,
    data,
    datasets,
    drafting,
    dsp,
    importing,
    linked_data,
    operations,
    saving,
    search,
    validating,
)

ROUTES: Final[Sequence[ControllerRouterHandler]] = (
    dsp.router,
    dsp.version,
    data.DataController,
    data.RenewalController,
    datasets.DatasetController,
    drafting.DraftController,
    validating.ValidationController,
    saving.SavedDraftController,
    importing.ImportController,
    contracts.OfferController,
    contracts.NegotiationController,
    contracts.AgreementController,
    contracts.TransferController,
    linked_data.LinkedDataController,
    linked_data.style,
    operations.PeerController,
    operations.OperationController,
    operations.livez,
    operations.readyz,
    operations.metrics,
    search.SearchController,
)
