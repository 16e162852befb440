"""`python -m cem`: right answers, JSON, and a non-zero exit where something is wrong."""

import json

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
