"""Tests of the parameters: what they accept, their "auto" rules, clones."""

from sk_rmsprop import RMSpropMLPClassifier
from tests.helpers import BAD_VALUES


def test_table_of_bad_values_is_complete():
    assert set(BAD_VALUES) == set(RMSpropMLPClassifier().get_params())
