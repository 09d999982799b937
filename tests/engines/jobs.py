"""Jobs that tests of several engines and commands have alike: texts for `Project.job`.

Their step `bad` fails until there is a file `mended`.
"""

from __future__ import annotations

_BAD = """
    def bad():
        if not os.path.exists("mended"):
            raise RuntimeError("not mended")
        return effect("bad")
"""

FAILS_UNTIL_MENDED = f"""{_BAD}
    @define_job
    def work(step: Step) -> list[str]:
        step.log.info("begins", n=1)
        return [step.run("one", effect, "one"), step.run("bad", bad)]
"""

LIVES_ON = f"""{_BAD}
    @define_job
    def work(step: Step, *, text: str = "a") -> list[str]:
        found = [step.run(name, effect, name) for name in ("one", "two")]
        try:
            step.run("bad", bad)
        except RuntimeError:
            found.append("lived on")
        return [*found, text]
"""
"""It goes on after the failure of `bad`."""
