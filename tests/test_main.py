"""`python -m cem`: right answers, JSON, and a non-zero exit where something is wrong."""

import json
import signal

import cem
from cem import __main__ as command


def test_all_checks_are_right(capsys):
    assert command.main(["--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["right"]
    assert report["cem"] == cem.__version__
    assert report["packages"]["numpy"]
    assert len(report["checks"]) == 4
    assert all(check["right"] for check in report["checks"])


def test_a_wrong_answer_and_an_error_are_said(capsys, monkeypatch):
    def broken(seed):
        raise ArithmeticError("no")

    monkeypatch.setattr(command, "CHECKS", {"off": lambda seed: (1.0, 2.0, False), "broken": broken})
    assert command.main([]) == 1
    out = capsys.readouterr().out
    assert "WRONG: off: 1 (exact 2)" in out
    assert "ArithmeticError: no" in out


def test_ctrl_c_ends_all_checks_with_what_there_is(capsys, monkeypatch):
    def interrupt(seed):
        cem.optimize(lambda x: signal.raise_signal(signal.SIGINT), bounds=[(0, 1)], rng=seed)

    checks = {"done": lambda seed: (1.0, 1.0, True), "in hand": interrupt, "left": interrupt}
    monkeypatch.setattr(command, "CHECKS", checks)
    assert command.main(["--json"]) == 130
    report = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in report["checks"]] == ["done"]
    assert report["interrupted"]
    assert not report["right"]
