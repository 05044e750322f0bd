"""What a library does once, at its first file, is done in the server before any child is forked. Runs in the server.

Each of these opens nothing but what the library itself brings; without them every child would pay for them again.
"""

import contextlib


def up(family: str) -> None:
    """Let the libraries of a family set themselves up; one that is not installed has nothing to set up."""
    with contextlib.suppress(ImportError):
        if family == "meteo":
            _eccodes()
        elif family == "eo":
            _gdal()


def _eccodes() -> None:
    """Have the definitions of GRIB read: each key asked for costs milliseconds at first."""
    import eccodes  # noqa: PLC0415 - only this family has it

    for sample in ("GRIB2", "GRIB1"):
        message = eccodes.codes_grib_new_from_samples(sample)
        iterator = eccodes.codes_keys_iterator_new(message)
        while eccodes.codes_keys_iterator_next(iterator):
            with contextlib.suppress(eccodes.CodesInternalError):
                eccodes.codes_get_string(message, eccodes.codes_keys_iterator_get_name(iterator))
        eccodes.codes_keys_iterator_delete(iterator)
        eccodes.codes_release(message)


def _gdal() -> None:
    """Have the drivers registered."""
    import rasterio  # noqa: PLC0415 - only this family has it

    with rasterio.Env():
        pass
