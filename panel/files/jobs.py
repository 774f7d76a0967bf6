"""The jobs of an import as values: requests and outcomes, both as JSON.

So the same work runs in a thread or, for a large file, in a process of its own (`python -m panel.files.jobs`), which
gives its memory back, can be ended, and cannot hold up anybody else. The process reads one job from its input and
writes lines: progress first, the outcome last. Libraries are loaded when there is work for them.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from panel.files.summary import FileRead, Imported, Summary
from panel.files.values import Answers, Progress, Refused


class Unpack(msgspec.Struct, frozen=True, tag=True):
    """A zip archive's files into the folder it is in."""

    file: Path


class Look(msgspec.Struct, frozen=True, tag=True):
    """`name`: what the file was called; `folder`: of what is stored, None when it cannot be reached."""

    file: Path
    name: str
    answers: Answers
    symbol: str = ""
    timeframe: str = ""
    folder: Path | None = None
    cached: bool = True


class Store(msgspec.Struct, frozen=True, tag=True):
    """The fields of importing.store."""

    file: Path
    name: str
    answers: Answers
    symbol: str
    timeframe: str
    folder: Path
    leave_out: bool = False
    keep_bad: bool = False
    existing: Literal["refuse", "merge", "replace"] = "refuse"
    cached: bool = True


class Export(msgspec.Struct, frozen=True, tag=True):
    """Stored bars that open from `start` to `end`, seconds, both included, into a file."""

    folder: Path
    symbol: str
    timeframe: str
    start: int
    end: int
    kind: Literal["csv", "parquet"]
    into: Path
    cached: bool = True


class ReadFolder(msgspec.Struct, frozen=True, tag=True):
    """What is known of these files of a folder that belongs to another program."""

    folder: Path
    names: tuple[str, ...]


Job = Unpack | Look | Store | Export | ReadFolder


@dataclass(frozen=True, slots=True)
class Outcome:
    """One of them, but for the two of a refusal: a sentence, and the line it speaks of (0: none)."""

    files: tuple[tuple[str, Path], ...] = ()
    summary: Summary | None = None
    imported: Imported | None = None
    exported: int = 0  # bars
    files_read: tuple[FileRead, ...] = ()
    refused: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """One line of the process."""

    share: float = 0.0
    step: str = ""
    outcome: Outcome | None = field(default=None)


def packed(value: Job | Report) -> bytes:
    return msgspec.json.encode(value, enc_hook=str)  # paths, which msgspec does not know


def job_of(text: bytes) -> Job:
    job: Job = msgspec.json.decode(text, type=Job, dec_hook=lambda to, value: to(value))
    return job


def report_of(line: bytes) -> Report:
    return msgspec.json.decode(line, type=Report, dec_hook=lambda to, value: to(value))


def done(job: Job, progress: Progress) -> Outcome:
    """Run the job. Refusals and disk errors are outcomes too."""
    try:
        return _done(job, progress)
    except Refused as exc:
        return Outcome(refused=exc.sentence, line=exc.line)
    except OSError as exc:
        return Outcome(refused=f"The file cannot be read or written: {exc.strerror or exc}.")


def _done(job: Job, progress: Progress) -> Outcome:
    match job:
        case Unpack():
            from panel.files.archive import extracted

            return Outcome(files=tuple(extracted(job.file, job.file.parent)))
        case Look():
            from panel.files import importing

            data = job.file.read_bytes()
            found = importing.preview(
                data, job.name, job.answers, job.folder, job.symbol, job.timeframe, progress, cached=job.cached
            )
            return Outcome(summary=importing.summary(found))
        case Store():
            from panel.files import importing

            reading = importing.read(job.file.read_bytes(), job.name, job.answers, progress=_part(progress, 0.0, 0.6))
            kept = importing.store(
                reading, job.folder, job.symbol, job.timeframe, leave_out=job.leave_out, keep_bad=job.keep_bad,
                existing=job.existing, progress=_part(progress, 0.6, 1.0), cached=job.cached,
            )  # fmt: skip
            return Outcome(imported=kept)
        case Export():
            from panel.files.folder import Folder
            from panel.files.storing import export

            bars = Folder(job.folder, cached=job.cached).bars(job.symbol, job.timeframe, job.start, job.end)
            if bars is None or not len(bars):
                return Outcome()
            export(bars, job.kind, job.into)
            return Outcome(exported=len(bars))
        case ReadFolder():
            from panel.files.folder import Folder

            folder = Folder(job.folder, cached=False)
            return Outcome(files_read=tuple(folder.entry(name).as_file_read for name in job.names))


def _part(progress: Progress, start: float, end: float) -> Progress:
    return lambda share, step: progress(start + share * (end - start), step)


def main() -> None:
    """The process: a job from the input, reports as lines to the output."""

    def write(report: Report) -> None:
        sys.stdout.buffer.write(packed(report) + b"\n")
        sys.stdout.buffer.flush()

    job = job_of(sys.stdin.buffer.read())
    write(Report(outcome=done(job, lambda share, step: write(Report(share, step)))))


if __name__ == "__main__":
    main()
