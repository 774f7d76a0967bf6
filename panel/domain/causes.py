"""What a failure's text means, and what to do about it. Pure.

The advice holds for the kind that failed: nothing is to be resumed that has no checkpoint, and no load mends a load.

The texts are those that KTRDR, its workers and the embedded backend raise, collected from their sources. Where a whole
traceback was sent its last line names the cause, so that line is searched first.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from panel.domain.kinds import Traits


@dataclass(frozen=True, slots=True)
class Cause:
    """`pattern` is searched for in any case; `meaning` is one sentence, "" where the text itself says it. Of a work
    that `fits` not, the same words mean something else."""

    pattern: re.Pattern[str]
    meaning: str
    advice: str
    fits: Callable[[Traits], bool] = lambda _: True


def _cause(pattern: str, meaning: str, advice: str, fits: Callable[[Traits], bool] = lambda _: True) -> Cause:
    return Cause(re.compile(pattern, re.IGNORECASE), meaning, advice, fits)


_CALL = r"connect call failed \('[^']*', "  # asyncio's words, with the port after them
_GATEWAYS = r"(400[12]|749[67])\b"  # the ports of the Gateway and of its Trader Workstation

DATABASE = (
    r"sqlalchemy|asyncpg|psycopg|not (currently|yet) accepting connections|"
    r"the database system is (starting up|shutting down)|too many clients already|"
    rf"{_CALL}54\d\d\b|connection was closed in the middle of operation|"
    r"terminating connection due to administrator command"
)

INFINITE = r"ran off to infinity|loss is nan|contains nan|input contains infinity"

AGAIN = "{again}"  # the advice to go on with this work, or to do it again
UNKNOWN = Traits()  # of a kind that is not known

# Where the data source itself did not answer, in the order of the way to it; a failure of a GPU's or a training host is
# none of it.
HOST_SERVICE = _cause(
    r"(?<!gpu )(?<!training )\bhost service\b",
    "The program that fetches market data does not answer.",
    "The Interactive Brokers host service, the program between KTRDR and the Gateway, does not answer. "
    "Start it, then load again; KTRDR itself is fine.",
)
GATEWAY = _cause(
    r"(failed to (create|acquire|establish)|no|lost) (an |the )?ib connection|(connect|connected) to (the )?ib\b|"
    r"\bib (connection|gateway) (is |was |has )?(failed|lost|closed|refused|timed out|unavailable|disconnected|not )"
    rf"|{_CALL}{_GATEWAYS}",
    "The Interactive Brokers Gateway does not answer.",
    "Start the Gateway and log in to it, then load again; KTRDR itself is fine.",
)
NO_SYMBOL = _cause(
    r"\bsymbol \S* ?not found(?! in dataset)",
    "",
    "The data source does not know this symbol. Check its spelling.",
)

NO_DATA = _cause(
    r"no data found|no data available for|data not found for|failed to load data|no timeframes successfully loaded|"
    r"data file not found|empty data file",
    "",  # the words say it, and which data
    "Load this data first, then start again.",
    lambda traits: not traits.loads,
)
NO_PERIOD = _cause(
    r"start date must be before|end date must be after|start datetime must be before|invalid date format",
    "The dates are not a period.",
    "Choose a start before the end, and start again.",
)

NO_DATABASE = "See that the backend's PostgreSQL runs and takes connections."

CAUSES = (
    _cause(
        r"design agent may have failed to save",
        "The agent's strategy has no file.",
        "The agent probably did not save it. Look at the design worker's log, then start the research again.",
    ),
    HOST_SERVICE,  # before the database: their texts hold the failed call's words too
    GATEWAY,
    _cause(
        DATABASE,
        "The backend's database did not answer.",
        f"{NO_DATABASE} Then start it again.",
    ),
    NO_DATA,
    NO_SYMBOL,
    _cause(r"symbol validation failed|symbol info lookup failed", "", NO_SYMBOL.advice),
    _cause(
        r"weight tensor should be defined|target \d+ is out of bounds|only one class|produced no test data|"
        r"sequence_length=\d+ requires|insufficient data|too little data|no features computed|too few bars",
        "The period holds too few bars for this strategy.",
        "Choose a longer period, or load older bars, then start again.",
    ),
    _cause(
        r"not enough values|expected .* to have .* samples|n_samples=|empty dataset|num_samples=0",
        "Nothing was left to learn from after the strategy's own preparation of the bars.",
        "Choose a longer period, or load older bars, then start again.",
    ),
    _cause(
        r"error\(s\) in loading state_dict",
        "The weights of its saved model do not fit the network that its files describe.",
        "The model's folder was changed, or written by two trainings. Train it again, or choose another model.",
    ),
    _cause(
        INFINITE,
        "Its numbers ran off to infinity.",
        "Try a smaller learning rate, and look for empty or extreme values in its inputs.",
        lambda traits: traits.learns,
    ),
    _cause(
        INFINITE,
        "Its numbers ran off to infinity.",
        "Look for empty or extreme values in its bars, and in what its model learned from.",
    ),
    _cause(
        r"data of your own|holds? your own|nothing was fetched, so that the file is not touched",
        "",
        "Nothing was changed. Import newer or older bars instead, on the page Data.",
    ),
    _cause(
        r"nothing was changed",  # a file that the load would have to write to
        "",
        "Import the file on the page Data: that asks for what is not clear, and leaves out what cannot be read.",
    ),
    _cause(
        r"model_path is required",
        "No model was chosen.",
        "Choose a trained model and start the backtest again.",
    ),
    _cause(
        r"model directory not found|model not found|no models found|trained model file not found|model file not found",
        "The model is gone.",
        "Choose another one, or train it again.",
    ),
    _cause(
        r"v3 metadata not found|may need to be retrained|expected 3\.0|not a v3 model|is a model of the strategy|"
        r"config doesn't match the trained model|missing features|the model in .* cannot be read",
        "The model does not fit this strategy.",
        "Choose the model that was trained with this strategy, or train it again.",
    ),
    _cause(
        r"cannot be tried on",
        "",
        "Leave the timeframe empty, or choose the one that the model decides on.",
    ),
    NO_PERIOD,
    _cause(
        r"strategy .*not found|strategy \S+ is gone|may have been deleted since the checkpoint",
        "The strategy's file is not there.",
        "Put it back into the strategies folder, or choose another one.",
    ),
    _cause(
        r"strategy validation failed|v3 strategy|v2 strategy|missing required sections|failed to parse strategy|"
        r"unknown (fuzzy set|indicator|model type|label source)|unsupported (output_format|model type)|"
        r"strategy configuration must be|raw indicator column|indicator column|sigma must be|no valid fuzzy features|"
        r"no fuzzy (features|membership columns)|is not valid:",
        "The strategy is not valid.",
        "Its page under Strategies names what is wrong with it.",
    ),
    _cause(
        r"not supported between instances of '(float|int|str)' and '(float|int|str)'",
        "A value that has to be a number is a text.",
        "Look at the numbers of the strategy's file: 1e-3, for example, is a text there, and 1.0e-3 a number.",
    ),
    _cause(
        r"unsupported (primary |auxiliary |source |reference )?timeframe|base_timeframe .* not found|"
        r"not found in dataset",
        "The strategy's symbols or timeframes and those of this run do not fit.",
        "Choose symbols and timeframes that the strategy names.",
    ),
    _cause(
        r"invalid csv format|cannot be read as market data|must have datetimeindex|missing required columns|"
        r"must contain 'close'|close prices contain zero",
        "The stored bars cannot be used.",
        "Look at the file of this symbol and timeframe on the page Data.",
    ),
    _cause(
        r"checkpoint integrity|checkpoint .*(corrupt|cannot be read)|no checkpoint found",
        "Its checkpoint cannot be used.",
        "Start it again from the beginning.",
    ),
    _cause(
        r"panel that ran this operation stopped|process of this operation ended without a word|can be resumed",
        "",
        AGAIN,
    ),
    _cause(
        r"out of memory|cannot allocate memory|memoryerror|enomem",
        "The worker's machine ran out of memory.",
        "Use a shorter period, fewer symbols or a smaller network, or a machine with more memory.",
    ),
    _cause(
        r"no space left on device|disk quota exceeded|errno 28",
        "The disk is full.",
        "Make room on the backend's disk, then start again.",
    ),
    _cause(
        r"permission denied|errno 13|read-only file system",
        "The backend may not write where it has to.",
        "Let its user write to its data and models folders.",
    ),
    _cause(
        r"failed to start (training|backtest) on any worker|all connection attempts failed|did not return operation_id|"
        r"connection refused",
        "No worker took it.",
        "See on the page Workers that one answers, then start it again.",
        lambda traits: not traits.inside,
    ),
    _cause(
        r"orphaned by backend restart|operation not found|worker lost|no health check",
        "The work broke off: its worker or its backend was restarted.",
        AGAIN,
    ),
    _cause(
        r"no worker claimed it",
        "The backend found no worker on it.",
        AGAIN,
    ),
    _cause(
        r"worker shutdown|graceful shutdown",
        "Its worker was stopped.",
        AGAIN,
    ),
    _cause(
        r"owed more than it had",
        "The account lost more than it held.",
        "Use a smaller position or another period; a strategy that loses everything has no result.",
    ),
    _cause(
        r"read timed out|timed out|timeout",
        "Something did not answer in time.",
        "Start it again; if it happens again, look at the backend's log.",
    ),
    _cause(
        r"did not call save_\w+ mcp tool|anthropic|api[_ ]key|rate limit|budget",
        "The research agent could not do its part.",
        "Look at its budget and its key in the backend's settings, then start it again.",
    ),
)

_SOURCES_OWN = Cause(
    re.compile(""),
    "",
    "These are the words of the data source, for KTRDR the Interactive Brokers Gateway: "
    "see that it runs and is logged in, then load again.",
)


def database_down(text: str) -> bool:
    """Whether the backend says, of its own operations, that it cannot use its database: to tell of them it calls
    nothing else, whatever port that is at."""
    return re.search(rf"{DATABASE}|{_CALL}(?!{_GATEWAYS})", text, re.IGNORECASE) is not None


def how_again(*, resumable: bool) -> str:
    return "Resume it where that is offered, or start it again." if resumable else "Start it again."


_MISSING_MODEL = re.compile(r"model (?:directory |file )?not found:\s*(/\S.*?)[.\s]*$", re.IGNORECASE | re.MULTILINE)


def model_elsewhere(text: str, sent: str) -> Cause | None:
    """Of a model that was asked for by an absolute path, and that the worker looked for at another one: KTRDR's worker
    puts the folder in its container in the place of the one that was sent. The model may well be there."""
    found = _MISSING_MODEL.search(text)
    if found is None or not sent.startswith("/") or found[1].rstrip("/") == sent.rstrip("/"):
        return None
    return _cause(
        re.escape(found[1]),
        f"The worker looked for the model at {found[1]}, not at the path that was sent.",
        "Choose the model by a path that begins with models/, or see that the worker has it where it looks.",
    )


def cause_of(text: str, traits: Traits = UNKNOWN, *, resumable: bool = False) -> Cause | None:
    """The cause that the text names, its last line first; None when it is not known. For a load any other text is the
    data source's own. `resumable`: it may have a checkpoint of its own."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    fitting = [cause for cause in CAUSES if cause.fits(traits)]
    for part in (lines[-1] if lines else "", text):
        for cause in fitting:
            if part and cause.pattern.search(part):
                again = cause.advice == AGAIN
                return replace(cause, advice=how_again(resumable=resumable)) if again else cause
    return _SOURCES_OWN if traits.loads and lines else None
