"""Data sets that wheels ship, and synthetic ones: inputs with the scaling that was asked for, and their record."""

from empirical.data.control import isotropic_control
from empirical.data.loading import NAMES, load
from empirical.data.record import DataSet
from empirical.data.scaling import SCALINGS

__all__ = ["NAMES", "SCALINGS", "DataSet", "isotropic_control", "load"]
