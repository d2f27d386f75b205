"""The loop of populate: pending keys are streamed, claimed, and made in batches that adapt to their speed."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from itertools import compress

import psycopg
from psycopg import sql

from djcli.algebra.restriction import AndList
from djcli.database.failures import is_retriable, is_servers, translate
from djcli.errors import (
    DataJointError,
    InputsChangedError,
    IntegrityError,
    LostConnectionError,
)
from djcli.populate.ahead import ReadAhead
from djcli.populate.batch import Batch
from djcli.populate.claims import TooManyClaimsError, claim, lock_number, release
from djcli.populate.collecting import few_collections
from djcli.populate.columns import RealColumns
from djcli.populate.feed import Feed, KeyStream
from djcli.populate.guard import Guard
from djcli.populate.interrupts import Interrupts
from djcli.populate.keys import Todo, todo
from djcli.populate.metadata import JobMetadata
from djcli.populate.options import Options
from djcli.populate.outbox import RetryBatchError
from djcli.populate.pace import BATCH_SECONDS, Pace
from djcli.populate.reach import reach_again
from djcli.populate.result import Key, PopulateResult, noted
from djcli.populate.runner import Maker, Outcome, make_key
from djcli.populate.steps import is_long, make_in_steps
from djcli.sql.arrays import array
from djcli.sql.insert import find_taken
from djcli.tables.declare import ensure
from djcli.tables.making import making
from djcli.tables.table import Table

logger = logging.getLogger("djcli")

ATTEMPTS = 3
"""How often a key is tried when the database, not make, is at fault."""


def populate(
    table: Table,
    restrictions: Sequence[object],
    options: Options,
    feed: Feed | None = None,
    result: PopulateResult | None = None,
) -> PopulateResult:
    """Make the pending keys of a table.

    Parameters
    ----------
    table
        A Computed or Imported table.
    restrictions
        Restrictions of its key source, all of which must hold.
    options
        How to go about it.
    feed
        Whoever hands the keys to this process, tells the observer when it all begins and ends, and tells what
        the guard has found; by default the keys are a stream of all that are pending.
    result
        What is filled and returned; whoever gives it has it when a make fails too.

    Returns
    -------
    PopulateResult
        What was made and what failed.

    Raises
    ------
    Exception
        The first error of a make, unless errors are suppressed; with a note that names the key.
    """
    work = prepare(table, restrictions, options)
    run = _Run(table, work, options, PopulateResult() if result is None else result)
    if feed is not None:
        run.keep_on(feed)
        return run.result
    try:
        pending = count_calls(work, options)
        options.observer.begin(run.label, pending)
        if pending:
            run.all_keys(KeyStream(work, options.order))
    finally:
        options.observer.end(run.label)
    return run.result


def prepare(table: Table, restrictions: Sequence[object], options: Options) -> Todo:
    """Check that a populate can run, declare what is missing, and return what it has before it."""
    if table.connection.in_transaction:
        raise DataJointError("populate makes transactions of its own and cannot run inside another")
    if options.max_calls is not None and options.max_calls < 0:
        raise DataJointError(f"max_calls={options.max_calls}: it must not be negative")
    classes = table.instance.classes
    ensure(table.instance, [other for other in classes if other.schema == table.id.schema])
    return todo(table, restrictions)


def count_calls(work: Todo, options: Options) -> int:
    """Return how many calls of make there are to be."""
    pending = len(work.pending)
    return pending if options.max_calls is None else min(pending, options.max_calls)


class _Run:
    """One populate of one table."""

    def __init__(self, table: Table, work: Todo, options: Options, result: PopulateResult) -> None:
        self.table = table
        self.connection = table.connection
        self.label: str = table.class_label
        self.work = work
        self.options = options
        self.guard = Guard(table, options.guard) if options.guard is not None else None
        parts = [other for other in table.instance.classes if other.is_part_of(table.id)]
        self.columns = RealColumns(self.connection, (table.id, *parts))
        metadata = JobMetadata.of(table, self.columns)
        self.maker = Maker(table, options.make_kwargs, self.guard, metadata)
        self.make_alone = make_in_steps if is_long(type(table)) else make_key
        self.result = result
        if self.guard is not None:
            self.result.violations = self.guard.violations
        self.calls = 0
        self.failed_keys: set[tuple[object, ...]] = set()
        self.ahead = ReadAhead(work.pending.heading)
        self.pace = Pace(options.batch, self.connection)
        self.holds_claims = False
        self.made_around = making.get()

    def all_keys(self, feed: Feed) -> None:
        """Make the keys that the feed gives, and tell what the guard has found."""
        try:
            self.keep_on(feed)
        finally:
            if self.guard is not None:
                self.guard.report()

    def keep_on(self, feed: Feed) -> None:
        """Make the keys that the feed gives, going on when the connection was lost."""
        # Foreign-key checks may have kept a plan from when the tables were empty.
        self.connection.execute(sql.SQL("DISCARD PLANS"))
        lost, calls = 0, self.calls
        while True:
            try:
                self.keys_of(feed)
            except LostConnectionError:
                lost = lost + 1 if self.calls == calls else 1
                calls = self.calls
                if lost == ATTEMPTS:
                    raise
                reach_again(self.connection)
                feed.restart(self.failed_keys)
            else:
                return

    def keys_of(self, feed: Feed) -> None:
        """Take keys batch by batch, until there are none or enough calls were made."""
        while self.calls != self.options.max_calls:
            wanted = self.pace.size
            if self.options.max_calls is not None:
                wanted = min(wanted, self.options.max_calls - self.calls)
            keys = feed.take(wanted)
            if not keys:
                return
            feed.put_back(self.some_keys(keys))

    def some_keys(self, keys: list[Key]) -> list[Key]:
        """Make some keys; returns those that there was no time for."""
        is_interrupted = False
        try:
            if self.options.batch == 1:
                for key in keys:
                    self.one_key(key)
                return []
            with Interrupts() as interrupts:
                return self.keys_to_claim(keys, interrupts)
        except BaseException as error:
            is_interrupted = not isinstance(error, Exception)
            raise
        finally:
            self.restore(is_interrupted=is_interrupted)

    def restore(self, *, is_interrupted: bool) -> None:
        """Leave nothing behind, wherever an interrupt has struck."""
        self.table.instance.interceptor = None
        making.set(self.made_around)
        self.connection.restore(is_interrupted=is_interrupted)
        if self.holds_claims and self.connection.is_connected:
            self.connection.close()  # they end with the session
        self.holds_claims = False

    def keys_to_claim(self, keys: list[Key], interrupts: Interrupts) -> list[Key]:
        """Claim keys and make those that are ours; returns those that there was no time for."""
        name = self.table.full_table_name
        numbers = [lock_number(name, key) for key in keys]
        self.holds_claims = True
        try:
            claims = claim(self.connection, numbers)
        except TooManyClaimsError:
            release(self.connection, numbers)
            self.holds_claims = False
            if len(keys) == 1:
                raise
            self.pace.stay_at(len(keys) // 2)
            return keys
        for key, is_ours in zip(keys, claims, strict=True):
            if not is_ours:
                self.options.observer.skipped(self.label, key)
        try:
            return self.claimed_keys(list(compress(keys, claims)), interrupts)
        finally:
            interrupts.close()
            if self.connection.is_connected:
                release(self.connection, list(compress(numbers, claims)))
            self.holds_claims = False

    def claimed_keys(self, keys: list[Key], interrupts: Interrupts) -> list[Key]:
        """Make claimed keys in one transaction, and again one by one where the transaction was at fault."""
        attempt = _Attempt(self, keys)
        try:
            attempt.run(interrupts)
        except LostConnectionError:
            raise
        except (RetryBatchError, DataJointError) as error:
            if isinstance(error.__cause__, LostConnectionError):
                raise error.__cause__ from error
            # What is refused at the very end, as deferred constraints are, is some key's fault.
            if is_servers(error) or not (is_retriable(error) or attempt.is_sent):
                raise
            if attempt.stop is not None:
                raise attempt.stop from error
            interrupts.open()
            for key in keys:
                self.one_key(key)
            return []
        self.adapt(attempt, len(keys))
        return attempt.settle(interrupts)

    def adapt(self, attempt: _Attempt, keys: int) -> None:
        """Let the next batch be as large as this one has shown to be right."""
        batch = attempt.batch
        if batch is not None and batch.is_last:
            self.pace.stay_at(1)
        elif batch is not None and batch.refused:
            self.pace.shrink_to(attempt.ran)
        else:
            self.pace.took(keys, attempt.seconds)

    def one_key(self, key: Key) -> None:
        """Make a key in a transaction of its own, trying again when the database is at fault."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                outcome = self.make_alone(self.maker, key)
            except LostConnectionError:
                raise
            except Exception as error:
                if is_servers(error):
                    raise
                again = is_retriable(error) or (
                    isinstance(error, InputsChangedError) and not self.has_left(key)
                )
                if again and attempt < ATTEMPTS:
                    continue
                self.calls += 1
                self.failed(key, error)
                return
            if outcome is Outcome.SKIPPED:
                self.options.observer.skipped(self.label, key)
                return
            self.calls += 1
            self.made(key)
            return

    def made(self, key: Key) -> None:
        self.result["success_count"] += 1
        self.options.observer.done(self.label, key)

    def has_left(self, key: Key) -> bool:
        """Whether a key is no longer one to compute, because its parents went meanwhile."""
        return not (self.work.source & AndList([key]))

    def failed(self, key: Key, error: BaseException) -> None:
        self.failed_keys.add(tuple(key.values()))
        if isinstance(error, (IntegrityError, InputsChangedError)) and self.has_left(key):
            self.options.observer.skipped(self.label, key)
            return
        self.options.observer.failed(self.label, key, error)
        if not self.options.suppress_errors:
            raise noted(error, self.label, key)
        self.result.add_error(key, error, as_object=self.options.return_exception_objects)


class _Attempt:
    """One transaction over claimed keys: first run, then settled with the result."""

    def __init__(self, run: _Run, keys: list[Key]) -> None:
        self.owner = run
        self.keys = keys
        self.todo: list[Key] = []
        self.errors: dict[int, BaseException] = {}
        self.stop: BaseException | None = None
        self.ran = 0
        self.seconds = 0.0
        self.is_sent = False
        self.batch: Batch | None = None

    def run(self, interrupts: Interrupts) -> None:
        """Run the makes and commit; nothing has happened when this raises."""
        owner = self.owner
        instance, connection = owner.table.instance, owner.connection
        started = time.monotonic()
        with connection.snapshot():
            self.todo = self.still_pending()
            batch = self.batch = Batch(
                owner.table, self.todo, owner.ahead, owner.columns, interrupts, owner.maker.metadata
            )
            instance.interceptor = connection.gate = batch
            try:
                with connection.kept_by(f"make() of {owner.label}"), few_collections():
                    self.run_makes(batch, started)
                batch.flush()
                self.is_sent = True
            finally:
                batch.outbox.abandon()
                instance.interceptor = connection.gate = None
        try:
            interrupts.open()
        except BaseException as error:  # noqa: BLE001 - told when the finished keys are
            self.stop = error
        interrupts.close()
        self.seconds = time.monotonic() - started

    def still_pending(self) -> list[Key]:
        """Leave out the keys that somebody else made between the stream and our claim."""
        owner = self.owner
        if not self.keys:
            return []
        names = tuple(self.keys[0])
        params = {f"c{i}": array([key[name] for key in self.keys]) for i, name in enumerate(names)}
        made = {row[0] for row in owner.connection.rows(find_taken(owner.table.model, names), params)}
        return [key for place, key in enumerate(self.keys, start=1) if place not in made]

    def run_makes(self, batch: Batch, started: float) -> None:
        owner = self.owner
        for place in range(len(self.todo)):
            is_over = batch.is_last or bool(batch.refused) or time.monotonic() - started > BATCH_SECONDS
            if place and is_over:
                return
            self.ran = place + 1
            try:
                batch.run_key(place, owner.maker)
            except RetryBatchError:
                raise
            except Exception as error:
                if is_servers(error):
                    raise
                self.errors[place] = error
                if isinstance(error, psycopg.Error):  # of the driver's connection, asked by make itself
                    self.errors[place] = translate(error)
                    self.errors[place].__cause__ = error
                if not owner.options.suppress_errors:
                    return
            except BaseException as error:
                if batch.is_broken:
                    raise
                # An interrupt of make itself: the finished keys are kept.
                self.ran, self.stop = place, error
                return
            if batch.is_postponed:
                self.ran = place
                return

    def settle(self, interrupts: Interrupts) -> list[Key]:
        """Tell what became of the keys; returns those that were not run."""
        assert self.batch is not None
        owner = self.owner
        if len(self.todo) < len(self.keys):
            pending = {tuple(key.values()) for key in self.todo}
            for key in self.keys:
                if tuple(key.values()) not in pending:
                    owner.options.observer.skipped(owner.label, key)
        failed = self.batch.refused.keys() | self.errors.keys()
        places = list(range(self.ran))
        if not owner.options.suppress_errors:
            # What is committed is told first: an error ends the whole populate.
            places.sort(key=lambda place: place in failed)
        for place in places:
            key = self.todo[place]
            if place in self.batch.refused:
                if self.stop is None:  # who wants to stop waits for no more makes
                    interrupts.open()
                    owner.one_key(key)  # its own try and except see what they would have seen
                    interrupts.close()
                continue
            owner.calls += 1
            if place in self.errors:
                owner.failed(key, self.errors[place])
            else:
                owner.made(key)
        if self.stop is not None:
            raise self.stop
        return self.todo[self.ran :]
