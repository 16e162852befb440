"""What an engineer asks of an estimated probability: index, design point, sensitivities, report."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from scipy.special import ndtri

from cem.core.plain import plain
from cem.rare_events.failures import DesignPoint, Failures, ProbabilityUnder
from cem.rare_events.inputs import describe
from cem.rare_events.modes import Modes
from cem.rare_events.sensitivities import Sensitivities
from cem.rare_events.tables import aligned

Table = list[tuple[str, ...]]


class IndexInterval(NamedTuple):
    """The ends of an interval for a reliability index."""

    low: float
    high: float


class Reliability:
    """What follows from an estimate's probability and its failing rows, without further evaluations."""

    if TYPE_CHECKING:
        probability: float
        standard_error: float
        coefficient_of_variation: float
        nfev: int
        success: bool
        message: str
        modes: Modes | None
        _failures: Failures | None

        def confidence_interval(self, confidence_level: float = 0.95) -> Any:
            """Return an interval for the probability."""

        def summary(self) -> str:
            """Return a short text."""

    @property
    def reliability_index(self) -> float:
        """β = -Φ⁻¹(probability): how many standard deviations a normal is from failing as often."""
        return float(-ndtri(self.probability)) + 0.0

    def reliability_index_interval(self, confidence_level: float = 0.95) -> IndexInterval:
        """Return the interval for the reliability index that the probability's gives."""
        low, high = self.confidence_interval(confidence_level)
        return IndexInterval(float(-ndtri(high)) + 0.0, float(-ndtri(low)) + 0.0)

    @property
    def design_point(self) -> DesignPoint:
        """The most likely failing point, of the inputs (`x`) and in standard normal space (`normal`).

        Where the scores about the failing row nearest to the origin lie on a plane, it is the foot of the
        perpendicular to the boundary, as in the first-order method; else it is that row, whose distance is an
        upper bound.

        Raises
        ------
        ValueError
            If nothing failed, or the inputs were not sampled in standard normal space.
        """
        return self._failing().design_point

    @property
    def importance_factors(self) -> dict[str, float]:
        """Share of each input in the squared distance of the design point, by name; they sum to one.

        Of correlated inputs, by each one's own standard normal at that point.

        Raises
        ------
        ValueError
            If there is no design point.
        """
        return self._failing().importance_factors

    def sensitivities(self) -> Sensitivities:
        """Return derivatives of the probability by every parameter of the inputs' distributions, as a table.

        By the score function on the weighted failing rows, with standard errors. Mean and standard deviation
        are moved one at a time, with the other, the copula and the parameters that hold the support where it
        is kept. A parameter that moves an end of the support has no such derivative: it is NaN or left out.

        Raises
        ------
        ValueError
            If nothing failed, or the inputs are of a family without known parameters.

        Examples
        --------
        >>> import cem
        >>> from scipy import stats
        >>> inputs = {"load": stats.norm(10, 2), "strength": stats.norm(20, 1.5)}
        >>> e = cem.estimate_probability(lambda x: x[0] - x[1], inputs, 0, rng=1)
        >>> table = e.sensitivities()
        >>> bool(table["load", "mean"].derivative > 0 > table["strength", "mean"].derivative)
        True
        """
        return self._failing().sensitivities()

    def under(self, inputs: Any) -> ProbabilityUnder:
        """Return the probability of the same event if the inputs were others, from the same evaluations.

        Raises
        ------
        ValueError
            If the failing rows are too few or too unequal under the other inputs, or these reach where the
            inputs never do.
        """
        return self._failing().under(inputs)

    def _failing(self) -> Failures:
        if self._failures is None:
            raise ValueError("this estimate has kept no failing rows.")
        return self._failures

    def _sections(self) -> list[tuple[str, str | Table]]:
        low, high = self.confidence_interval()
        least, most = self.reliability_index_interval()
        sections: list[tuple[str, str | Table]] = [
            (
                "Result",
                [
                    ("quantity", "value", "95 % interval"),
                    ("probability", f"{self.probability:.4g}", f"{low:.4g} to {high:.4g}"),
                    ("reliability index", f"{self.reliability_index:.4f}", f"{least:.4f} to {most:.4f}"),
                    ("coefficient of variation", f"{self.coefficient_of_variation:.3g}", ""),
                    ("evaluations", str(self.nfev), ""),
                ],
            ),
            ("Verdict", f"{'Trusted' if self.success else 'NOT trusted'}: {self.message}"),
        ]
        if self.modes is not None:
            sections.append(("Modes", self.modes.cells()))
        failures = self._failures
        if failures is None:
            return sections
        sections.append(("Inputs", describe(failures.inputs)))
        try:
            point, factors = self.design_point, self.importance_factors
        except ValueError as error:
            sections.append(("Design point", str(error)))
        else:
            rows = zip(failures.names, point.x, factors.values(), strict=True)
            table = [(name, f"{x:.6g}", f"{share:.1%}") for name, x, share in rows]
            sections.append(("Design point", [("input", "value", "importance"), *table]))
        try:
            sections.append(("Sensitivities", self.sensitivities().cells()))
        except ValueError as error:
            sections.append(("Sensitivities", str(error)))
        return sections

    def report(self, *, html: bool = False) -> str:
        """Return a page about the estimate: result, verdict, inputs, design point and sensitivities.

        Parameters
        ----------
        html : bool
            As HTML rather than as plain text.
        """
        if not html:
            parts = [
                f"{title}\n{'-' * len(title)}\n{body if isinstance(body, str) else aligned(body)}"
                for title, body in self._sections()
            ]
            return "\n\n".join(["Probability of an event\n=======================", *parts]) + "\n"
        parts = [f"<h2>{escape(title)}</h2>\n{_html(body)}" for title, body in self._sections()]
        return "\n".join(["<h1>Probability of an event</h1>", *parts]) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate in terms that JSON has; NaN becomes None."""
        found: dict[str, Any] = plain(self)
        found["confidence_interval"] = plain(self.confidence_interval())
        found["reliability_index"] = plain(self.reliability_index)
        for name, part in (
            ("design_point", lambda: self.design_point),
            ("sensitivities", self.sensitivities),
        ):
            try:
                found[name] = plain(part())
            except ValueError:
                found[name] = None
        return found


def _html(body: str | Table) -> str:
    if isinstance(body, str):
        return f"<pre>{escape(body)}</pre>"
    head, *rows = body
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return "<table>\n" + "\n".join(lines) + "\n</table>"
