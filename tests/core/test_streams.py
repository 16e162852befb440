"""Random streams: named by purpose and counters, repeatable, independent, and never global."""

import itertools

import numpy as np
import pytest

import cem
from cem.core.streams import Purpose, Streams

ENTROPY = 2**100 + 17


def words(generator):
    return tuple(generator.integers(0, 2**63, size=4).tolist())


def sphere(x):
    return float(x @ x)


def run(rng):
    return cem.optimize(sphere, bounds=[(-1, 2)] * 2, max_iterations=3, rng=rng)


# --- what is accepted -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, ENTROPY, np.int64(5), np.uint8(7)])
def test_an_int_names_the_run(seed):
    streams = Streams.from_rng(seed)
    assert streams == Streams(int(seed))
    assert streams.seed == seed


def test_none_takes_fresh_entropy():
    first, second = Streams.from_rng(None), Streams.from_rng(None)
    assert first.entropy != second.entropy
    assert Streams.from_rng(first.seed) == first


def test_a_generator_gives_fresh_entropy_at_each_call():
    rng = np.random.default_rng(3)
    first, second = Streams.from_rng(rng), Streams.from_rng(rng)
    assert first.entropy != second.entropy
    again = np.random.default_rng(3)
    assert [Streams.from_rng(again), Streams.from_rng(again)] == [first, second]
    assert Streams.from_rng(first.seed) == first


def test_a_generator_gives_much_entropy():
    """128 bits: runs started from one generator must not meet by the birthday paradox."""
    rng = np.random.default_rng(0)
    assert max(Streams.from_rng(rng).entropy.bit_length() for _ in range(10)) > 120


@pytest.mark.parametrize(
    "sequence",
    [
        np.random.SeedSequence(5),
        np.random.SeedSequence(5, spawn_key=(3, 1)),
        np.random.SeedSequence([1, 2, 3]),
        np.random.SeedSequence([1, 2, 3], spawn_key=(4,)),
        np.random.SeedSequence(9).spawn(2)[1],
    ],
    ids=str,
)
def test_a_seed_sequence_keeps_entropy_and_spawn_key(sequence):
    streams = Streams.from_rng(sequence)
    expected = np.random.SeedSequence(sequence.entropy, spawn_key=(*sequence.spawn_key, 0, 7, 2))
    assert words(streams.generator(Purpose.SAMPLE, 7, 2)) == words(
        np.random.Generator(np.random.PCG64(expected))
    )
    assert Streams.from_rng(streams.seed) == streams


def test_a_seed_sequence_is_left_as_it_is():
    sequence = np.random.SeedSequence(5)
    run(sequence)
    assert sequence.n_children_spawned == 0


@pytest.mark.parametrize(
    "rng", ["1", 1.0, True, [1], (), np.random.RandomState(1), object()], ids=lambda r: type(r).__name__
)
def test_a_wrong_type_is_told(rng):
    with pytest.raises(TypeError, match=f"rng must be None.*Generator.*got {type(rng).__name__}"):
        Streams.from_rng(rng)


def test_a_negative_int_is_told():
    with pytest.raises(ValueError, match="non-negative int, got -1"):
        Streams.from_rng(-1)


# --- the tree ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize("key", [(0,), (3, 1)])
def test_a_stream_is_that_of_its_spawn_key(purpose, key):
    """A checkpoint needs only the entropy and counters, because a stream is a pure function of them."""
    sequence = np.random.SeedSequence(ENTROPY, spawn_key=(int(purpose), *key))
    expected = np.random.Generator(np.random.PCG64(sequence))
    assert words(Streams(ENTROPY).generator(purpose, *key)) == words(expected)


def test_a_stream_does_not_depend_on_those_made_before():
    streams = Streams(1)
    first = words(streams.generator(Purpose.SAMPLE, 5, 0))
    for i in range(10):
        streams.generator(Purpose.SAMPLE, i, 0).random(3)
    assert words(streams.generator(Purpose.SAMPLE, 5, 0)) == first


def test_all_streams_differ():
    keys = itertools.product(Purpose, range(3), range(3))
    seen = [words(Streams(1).generator(purpose, i, j)) for purpose, i, j in keys]
    seen += [words(Streams(2).generator(Purpose.SAMPLE, i, 0)) for i in range(3)]
    seen += [words(Streams(1, (1,)).generator(Purpose.SAMPLE, i, 0)) for i in range(3)]
    assert len(set(seen)) == len(seen)


def test_purposes_keep_their_numbers():
    """They are part of every result ever published with a seed."""
    assert {each.name: int(each) for each in Purpose} == {
        "SAMPLE": 0,
        "UPDATE": 1,
        "OBJECTIVE": 2,
        "IMPROVE": 3,
        "PROBE": 4,
        "PLAN": 5,
    }


# --- what a user sees of it -------------------------------------------------------------------------


def test_no_global_stream_is_used_or_moved():
    np.random.seed(1)  # noqa: NPY002 - the very thing that must not matter
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = run(5)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    np.testing.assert_array_equal(run(5).x, first.x)


@pytest.mark.parametrize(
    "make",
    [
        lambda: 7,
        lambda: np.int32(7),
        lambda: np.random.default_rng(7),
        lambda: np.random.SeedSequence(7),
        lambda: np.random.SeedSequence(7, spawn_key=(2, 3)),
        lambda: np.random.SeedSequence([7, 8], spawn_key=(2,)),
    ],
    ids=["int", "numpy int", "Generator", "SeedSequence", "spawned", "list entropy"],
)
def test_the_same_rng_repeats_the_run_and_so_does_its_seed(make):
    r = run(make())
    for again in (run(make()), run(r.seed)):
        np.testing.assert_array_equal(again.x, r.x)
        np.testing.assert_array_equal(again.history.level, r.history.level)
        np.testing.assert_array_equal(again.family.std, r.family.std)


def test_another_seed_or_spawn_key_is_another_run():
    runs = [run(1), run(2), run(np.random.SeedSequence(1, spawn_key=(0,)))]
    runs += [run(child) for child in np.random.SeedSequence(1).spawn(2)[1:]]
    assert len({r.fun for r in runs}) == len(runs)


def test_an_int_and_its_seed_sequence_are_the_same_run():
    np.testing.assert_array_equal(run(4).x, run(np.random.SeedSequence(4)).x)
