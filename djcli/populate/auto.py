"""`AutoPopulate`, and the tiers that have it: `Imported` and `Computed`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, cast

from djcli.definition.specs import AttributeSpec
from djcli.errors import DataJointError
from djcli.names import Tier
from djcli.populate.bar import TextBar
from djcli.populate.claims import MAX_CLAIMS
from djcli.populate.engine import populate
from djcli.populate.feed import Order
from djcli.populate.keys import default_key_source, left
from djcli.populate.options import Options
from djcli.populate.result import Key, Observer, PopulateResult, Silent, Timed
from djcli.populate.steps import is_long
from djcli.populate.upstream import Routes, Upstream
from djcli.tables.binding import either
from djcli.tables.expression import QueryExpression
from djcli.tables.making import making
from djcli.tables.table import Table
from djcli.tables.tiers import tier_classes

if TYPE_CHECKING:
    from djcli.populate.crew import Crew

_STEPS = ("make_fetch", "make_compute", "make_insert")


class AutoPopulate(Table):
    """A table whose rows are computed by `make`, key by key.

    Attributes
    ----------
    populate_batch
        How many keys one transaction may hold at most: reads are fetched ahead for all of them and writes
        are gathered, as long as makes are quick. 1 runs every make as it is written.
    """

    populate_batch: ClassVar[int] = MAX_CLAIMS
    gathers_makes: ClassVar[bool] = False
    _routes: Routes | None = None

    @classmethod
    def parse(cls) -> None:
        """Read the definition; its primary key must consist of foreign keys, which say what to compute.

        Raises
        ------
        DefinitionError
            Naming a primary-key attribute that no foreign key brings, with its line.
        """
        super().parse()
        for item in cls._parsed.primary if cls._parsed is not None else ():
            if isinstance(item, AttributeSpec) and cls._parsed is not None:
                raise cls._parsed.error(
                    f"primary-key attribute {item.name!r} belongs to no foreign key, but what a computed table "
                    f"computes is told by the tables it refers to: put {item.name!r} below --- or into a part table",
                    item,
                ).with_table(cls.class_label)

    @property
    def key_source(self) -> QueryExpression:
        """The keys to compute: the join of the tables that the primary key refers to. May be overridden."""
        return default_key_source(self)

    @property
    def upstream(self) -> Upstream:
        """The rows that the key depends on, inside make: ``self.upstream[Session].fetch1('date')``.

        They are those of the table's ancestors, found along all foreign keys; what else a make reads is not among
        them. Secondary foreign keys of the table itself lead nowhere, since its row is not there yet.

        Raises
        ------
        DataJointError
            Outside make.
        """
        made = making.get()
        if made is None or made.table.id != self.id:
            raise DataJointError(
                f"upstream of {self.class_name} is there only while its make runs, for the key that it makes; "
                f"elsewhere restrict an ancestor: Ancestor & ({self.class_name} & key)"
            )
        if made.upstream is None:
            self._routes = {} if self._routes is None else self._routes
            made.upstream = Upstream(self, made.key, self._routes)
        return made.upstream

    def make(self, key: Key, **make_kwargs: Any) -> Any:
        """Compute one key and insert its row.

        Override this, or the three steps `make_fetch`, `make_compute` and `make_insert`, which suit long
        computations: nothing is held while the second one runs, and what the first one has fetched is
        verified before the third one inserts. A generator does the same in one function::

            def make(self, key):
                fetched = (Session & key).fetch1("signal")
                computed = yield (fetched,)
                if computed is None:
                    computed = (slow(fetched),)
                    yield computed
                self.insert1({**key, "result": computed[0]})

        Parameters
        ----------
        key
            The values of the key source's primary key.
        **make_kwargs
            Those of `populate`; of the three steps the first one gets them.
        """
        fetched = self._listed(self.make_fetch(key, **make_kwargs), "make_fetch")
        computed: Any = cast(Any, (yield fetched))
        if computed is None:
            computed = self._listed(self.make_compute(key, *fetched), "make_compute")
            yield computed
        self.make_insert(key, *computed)

    def _listed(self, found: object, step: str) -> tuple[Any, ...]:
        """Return what a step returned as the arguments of the next one."""
        if isinstance(found, (str, bytes, Mapping)) or not isinstance(found, Iterable):
            raise DataJointError(
                f"{step} of {self.class_name} must return a tuple, whose items the next step gets as arguments, "
                f"not {type(cast(object, found)).__name__}; write: return (value,)"
            )
        return tuple(cast("Iterable[Any]", found))

    def make_fetch(self, key: Key, **make_kwargs: Any) -> tuple[Any, ...]:
        """Fetch what the computation needs; the first of the three steps."""
        raise NotImplementedError(f"{self.class_name} has no make_fetch for {key} and {make_kwargs}")

    def make_compute(self, key: Key, *fetched: Any) -> tuple[Any, ...]:
        """Compute from what was fetched; the second of the three steps."""
        raise NotImplementedError(
            f"{self.class_name} has no make_compute for {key} and {len(fetched)} inputs"
        )

    def make_insert(self, key: Key, *computed: Any) -> None:
        """Insert what was computed; the last of the three steps."""
        raise NotImplementedError(
            f"{self.class_name} has no make_insert for {key} and {len(computed)} results"
        )

    @classmethod
    def check_make(cls) -> None:
        """Check that there is a make, or all of its three steps.

        Raises
        ------
        DataJointError
            Naming what is missing.
        """
        missing = [step for step in _STEPS if getattr(cls, step) is getattr(AutoPopulate, step)]
        if cls.make is AutoPopulate.make and missing:
            advice = "write one" if len(missing) == len(_STEPS) else f"nor has it {' and '.join(missing)}"
            raise DataJointError(f"{cls.__name__} has no make(self, key): {advice}")

    @either
    def populate(
        self,
        *restrictions: object,
        suppress_errors: bool = False,
        return_exception_objects: bool = False,
        reserve_jobs: bool = False,
        max_calls: int | None = None,
        display_progress: bool = False,
        processes: int | None = 1,
        make_kwargs: Mapping[str, Any] | None = None,
        priority: int | None = None,
        refresh: bool | None = None,
        observer: Observer | None = None,
        batch: int | None = None,
        order: Order = "original",
        guard: str | None = None,
        crew: Crew | None = None,
    ) -> PopulateResult:
        """Make the keys that are still to compute.

        Parameters
        ----------
        *restrictions
            Restrictions of the key source, all of which must hold.
        suppress_errors
            Whether to go on when a make fails, and return the errors.
        return_exception_objects
            Whether errors are returned as exceptions, not as text.
        max_calls
            How many calls of make there may be at most.
        display_progress
            Whether to show a progress bar on standard error.
        processes
            How many processes share the keys; None or 0 for one a core. They are started afresh and import the
            class, so it must be in a module or a script, and what ``make_kwargs`` has must be picklable.
        make_kwargs
            More arguments for ``make``.
        observer
            Whoever wants to hear how it comes along.
        batch
            How many keys one transaction may hold at most: reads are fetched ahead and writes gathered, while
            every key stays all or nothing. With 1 every make runs as it is written, in a transaction of its
            own. By default the class attribute ``populate_batch``.
        order
            ``'original'``, by primary key; ``'reverse'``; or ``'random'``.
        guard
            Whether makes are held to their contract: to read what their key depends on alone, and to write rows
            of their own table and its parts alone. ``'warn'`` logs at the end which lines do not, ``'error'`` makes
            their keys fail. SQL of the user's own cannot be judged and is logged.
        crew
            Worker processes to use, instead of starting some for this populate alone.

        Returns
        -------
        PopulateResult
            ``{'success_count': int, 'error_list': [(key, error)]}``, with more counts and times as attributes;
            its attribute `violations` lists what the guard has found.
        """
        if reserve_jobs or priority is not None or refresh:
            raise DataJointError(
                "job tables are not available yet; populate without reserve_jobs, priority and refresh"
            )
        type(self).check_make()
        if processes is not None and processes < 0:
            raise DataJointError(f"processes={processes}: it must not be negative; 0 means one for each core")
        watcher = Timed(observer or (TextBar() if display_progress else Silent()))
        options = Options(
            suppress_errors=suppress_errors,
            return_exception_objects=return_exception_objects,
            max_calls=max_calls,
            make_kwargs=make_kwargs or {},
            observer=watcher,
            batch=self._batch(batch),
            order=order,
            guard=guard,
        )
        if crew is None and processes == 1:
            return watcher.complete(populate(self, restrictions, options))
        # lazy: start-up time
        from djcli.populate.crew import Crew
        from djcli.populate.workers import populate_shared

        with nullcontext(crew) if crew is not None else Crew(processes or 0) as hands:
            return watcher.complete(populate_shared(self, restrictions, options, hands))

    def _batch(self, asked: int | None) -> int:
        """Return how many keys one transaction may hold."""
        # effects outside the database cannot be undone, and long computations must hold nothing
        key_by_key = not type(self).gathers_makes or is_long(type(self))
        wanted = self.populate_batch if asked is None else asked
        if wanted < 1:
            raise DataJointError(f"batch={wanted}: it must be at least 1")
        return 1 if key_by_key else min(wanted, MAX_CLAIMS)

    @either
    def progress(self, *restrictions: object, display: bool = False) -> tuple[int, int]:
        """Return how many keys remain to compute, and how many there are.

        Parameters
        ----------
        *restrictions
            Restrictions of the key source, all of which must hold.
        display
            Whether to tell on standard error too.
        """
        remaining, total = left(self, restrictions)
        if display:
            TextBar().tell(f"{self.class_name}: {total - remaining} of {total} computed")
        return remaining, total


class Imported(AutoPopulate):
    """Rows are made from data outside the database."""

    tier: ClassVar[Tier] = Tier.IMPORTED


class Computed(AutoPopulate):
    """Rows are made from data inside the database alone."""

    tier: ClassVar[Tier] = Tier.COMPUTED
    gathers_makes: ClassVar[bool] = True


tier_classes.update({Tier.IMPORTED: Imported, Tier.COMPUTED: Computed})
