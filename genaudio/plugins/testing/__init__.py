"""A conformance kit for authors of plugins: checks that a component keeps what its kind promises.

    from genaudio.plugins.testing import check_component, check_solver

    def test_my_solver():
        check_component(MySolver, "solver")
        check_solver(MySolver())

Each check raises `ConformanceError`, an `AssertionError` that lists everything it found.
"""

from genaudio.plugins.testing.component import check_component
from genaudio.plugins.testing.findings import ConformanceError
from genaudio.plugins.testing.guidance import check_guidance
from genaudio.plugins.testing.schedule import check_schedule
from genaudio.plugins.testing.solver import check_solver

__all__ = ["ConformanceError", "check_component", "check_guidance", "check_schedule", "check_solver"]
