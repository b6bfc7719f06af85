"""Samples come back from their text as they were, and a report replaces what it speaks of."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiment_tracking.metric_samples import Sample, merged, samples_in, text_of
from MLOps import metric_catalogue as catalogue

_DONE = Sample(catalogue.STAGE_SUCCESS, 1.0, ("probe",))


def test_sample_has_a_value_for_each_label() -> None:
    with pytest.raises(ValueError, match=r"trading_stage_success has the labels \('stage',\), not \(\)"):
        Sample(catalogue.STAGE_SUCCESS, 1.0)


def test_report_replaces_what_it_speaks_of_and_leaves_the_rest() -> None:
    def score(subject: str, column: str, value: float) -> Sample:
        return Sample(catalogue.DRIFT_SCORE, value, (subject, column, "psi"))

    earlier = [score("features", "close", 1), score("features", "gone", 2), score("actions", "AAA", 3), _DONE]
    assert merged(earlier, [score("features", "close", 4)]) == [
        score("actions", "AAA", 3),
        score("features", "close", 4),
        _DONE,
    ]


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            lambda value, ticker, window: Sample(catalogue.SIGNAL_RATE, value, (ticker, window)),
            st.floats(allow_nan=False),
            st.text(max_size=8),
            st.text(max_size=3),
        ),
        unique_by=lambda sample: sample.label_values,
    )
)
def test_text_gives_back_every_sample(samples: list[Sample]) -> None:
    assert samples_in(text_of(samples)) == samples


def test_text_tells_what_is_no_number() -> None:
    (found,) = samples_in(text_of([Sample(catalogue.TRAINING_LOSS, math.nan, ("stock_trading",))]))
    assert math.isnan(found.value)


def test_text_is_what_prometheus_reads() -> None:
    assert text_of([_DONE]) == (
        "# HELP trading_stage_success 1 if the stage's last run succeeded, else 0.\n"
        "# TYPE trading_stage_success gauge\n"
        'trading_stage_success{stage="probe"} 1.0\n'
    )


def test_samples_that_the_catalogue_forgot_are_left_out() -> None:
    text = 'trading_of_old{stage="probe"} 1\ntrading_stage_success{step="probe"} 1\n'
    assert samples_in(text + text_of([_DONE])) == [_DONE]
