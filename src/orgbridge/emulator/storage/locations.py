"""Distances between places, as an SQL function.

Source: SOQL and SOSL Reference, "DISTANCE": the haversine formula. Assumed: the radius, the earth's mean one.
"""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt

#: Mean radius of the earth.
_RADIUS = {"km": 6371.0088, "mi": 3958.7613}


def distance(
    latitude: float | None, longitude: float | None, to_latitude: float | None, to_longitude: float | None, unit: str
) -> float | None:
    """Serve as `SF_DISTANCE(lat, lon, lat, lon, unit)`: the way in `km` or `mi`; NULL without a place."""
    if latitude is None or longitude is None or to_latitude is None or to_longitude is None:
        return None
    a, b = radians(latitude), radians(to_latitude)
    half_chord = sin((b - a) / 2) ** 2 + cos(a) * cos(b) * sin(radians(to_longitude - longitude) / 2) ** 2
    return 2 * _RADIUS[unit] * asin(sqrt(min(1.0, half_chord)))
