"""Observations as they are stored: all of them come back as they were, and little is written of one like most."""

import zlib
from dataclasses import replace

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from panel.backend.entities import snapshot_of
from panel.domain.gaps import Ending
from panel.domain.observation import Cancel, Observation, observed
from panel.storage.packing import _DICTIONARIES, pack, unpack
from tests.support.scripted import RESULT, operation

KEYS = ["changed_at", "failing_since", "cancel", "changes", "resumed", "rhythm", "busy_at", "error"]
USUAL = [',"busy_at":null', ',"changed_at":1.0', ',"resumed":false,"error":""}', "said", '"said":', "\\"]
MOMENTS = st.none() | st.floats(0.0, 2e9)
OWN = st.fixed_dictionaries(
    {
        "changed_at": st.floats(0.0, 2e9),
        "error": st.sampled_from(USUAL) | st.text(max_size=20),
        "unchosen": st.lists(st.sampled_from(USUAL), max_size=3).map(tuple),
        "rhythm": st.sampled_from([0.0, 0.05, 0.5, 1e-9, 10.0]) | st.floats(0.0, 1e6),
        "changes": st.integers(0, 2**31),
        "cancel": st.sampled_from(Cancel),
        "ending": st.sampled_from(Ending),
        "resumed_by": st.sampled_from(["", *USUAL]),
        **{name: st.booleans() for name in ("timed_out", "forgotten", "resumed", "fell", "stood_still")},
        **dict.fromkeys(("failing_since", "cancel_at", "moved_at", "model_at", "busy_at", "sought_at"), MOMENTS),
        **{name: st.none() | st.integers(0, 10**6) for name in ("gaps_left", "checkpoint_epoch", "resumed_after")},
    }
)
NESTED = st.dictionaries(st.sampled_from(KEYS), st.none() | st.booleans() | st.sampled_from(["", 0, 0.0, 0.05, *USUAL]))


def one(parameters=None, **more) -> Observation:
    done = operation("op_a", status="completed", result_summary=RESULT, metadata={"parameters": parameters or {}})
    return replace(observed(None, snapshot_of(done, 100.0)), **more)


@given(OWN, NESTED)
def test_what_is_stored_is_read_as_it_was(own, nested):
    observation = one(nested | {"more": nested}, **own)
    assert unpack(pack(observation), "") == observation


def test_what_is_as_in_a_new_one_is_not_written():
    stored = zlib.decompressobj(wbits=-15, zdict=_DICTIONARIES[1]).decompress(pack(one(rhythm=0.05))[1:])
    assert set(msgspec.json.decode(stored)) == {"snapshot", "changed_at", "rhythm"}


def test_what_earlier_versions_stored_whole_is_read():
    whole = one()
    assert unpack(None, msgspec.json.encode(whole).decode()) == whole
